import { describeError } from "../../foundation/errors.ts";
import type { Logger } from "../../foundation/logger.ts";
import type { Change, Failure, Step } from "./change.ts";
import type { Journal, JournalEntry } from "./journal.ts";

/** How often a change may be switched to again after the supervisor died in the middle of it. */
const maxAttempts = 2;

/** A change that waits for its turn; built only then, from what is true then. */
type Offer = () => Promise<Change | undefined>;

interface RoadDeps {
  journal: Journal;
  logger: Logger;
  /** Whether an error that was thrown says that the change itself is bad; any other is the host's, or ours. */
  isOwnFault(error: unknown): boolean;
}

/**
 * The one road for every change. INVARIANTS: one change at a time; of each lane only the newest offer
 * waits; an urgent task (a crash that must be answered) goes first and sends back a change that has
 * not touched anything yet; what is under way is in the journal before it happens.
 */
export class Road {
  readonly #deps: RoadDeps;
  readonly #waiting = new Map<string, Offer>();
  readonly #urgent: (() => Promise<void>)[] = [];
  #interruptible: AbortController | undefined;
  #closed = false;
  #paused = false;
  #working: Promise<void> | undefined;

  constructor(deps: RoadDeps) {
    this.#deps = deps;
  }

  /** Takes in work but begins none until {@link open}: what an earlier process left comes first. */
  pause(): void {
    this.#paused = true;
  }

  open(): void {
    this.#paused = false;
    this.#wake();
  }

  /** Queues a change; one that still waits in the same lane is dropped. */
  offer(lane: string, offer: Offer): void {
    if (this.#closed) return;
    this.#waiting.delete(lane);
    this.#waiting.set(lane, offer);
    this.#wake();
  }

  /** Drops what waits in a lane; what is under way goes on. */
  withdraw(lane: string): void {
    this.#waiting.delete(lane);
  }

  /** Runs `task` before any further change. */
  urgent(task: () => Promise<void>): void {
    this.#urgent.push(task);
    this.#interruptible?.abort(new Error("something more urgent came up"));
    this.#wake();
  }

  /** Finishes or reverts what an earlier process left under way; call it before anything is offered. */
  resume(change: Change, entry: JournalEntry, lane: string): void {
    this.urgent(() => this.#resume(change, entry, lane));
  }

  /** Resolves when nothing is under way and nothing waits. */
  async idle(): Promise<void> {
    while (this.#working !== undefined) await this.#working;
  }

  /** Takes no more work and waits for the step under way; what is not finished stays in the journal. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#waiting.clear();
    this.#urgent.length = 0;
    this.#interruptible?.abort(new Error("the supervisor is stopping"));
    await this.idle();
    // An end in good order says nothing about the change that it interrupted.
    const { entry } = this.#deps.journal;
    if (entry !== undefined && entry.attempt > 0) {
      await this.#journalled(() => this.#deps.journal.note({ ...entry, attempt: entry.attempt - 1 }));
    }
  }

  #wake(): void {
    if (this.#working !== undefined || this.#closed || this.#paused) return;
    this.#working = this.#work().finally(() => {
      this.#working = undefined;
      if (this.#waiting.size + this.#urgent.length > 0) this.#wake();
    });
  }

  async #work(): Promise<void> {
    while (!this.#closed) {
      const task = this.#urgent.shift();
      const [next] = this.#waiting;
      if (task !== undefined) await this.#guard(task);
      else if (next !== undefined) {
        const [lane, offer] = next;
        this.#waiting.delete(lane);
        await this.#guard(() => this.#travel(lane, offer));
      } else return;
    }
  }

  async #guard(task: () => Promise<void>): Promise<void> {
    try {
      await task();
    } catch (error) {
      this.#deps.logger.error(
        { event: "change_error", error: describeError(error) },
        "a change could not be finished as it should",
      );
    }
  }

  async #travel(lane: string, offer: Offer): Promise<void> {
    const change = await offer();
    if (change === undefined) return;
    const interruption = new AbortController();
    this.#interruptible = interruption;
    try {
      await this.#note(change, "staging");
      const unstaged = await this.#attempt(() => change.stage());
      if (unstaged !== undefined) return await this.#reject(change, unstaged);
      await this.#note(change, "checking");
      const checked = await this.#attempt(() => change.check(interruption.signal));
      if (interruption.signal.aborted) {
        if (this.#closed) return;
        await this.#end();
        if (!this.#waiting.has(lane) && !this.#closed) this.#waiting.set(lane, offer);
        return;
      }
      if (checked === "unchanged") return await this.#keep(change, "unchanged");
      if (checked !== undefined) return await this.#reject(change, checked);
    } finally {
      this.#interruptible = undefined;
    }
    await this.#switch(change, 1);
  }

  async #switch(change: Change, attempt: number): Promise<void> {
    const unwritable = await this.#note(change, "switching", attempt);
    if (unwritable !== undefined && attempt === 1) {
      const reason = `the state directory cannot be written: ${unwritable}`;
      return this.#reject(change, { fault: "host", reason });
    }
    const unswitched = await this.#attempt(() => change.switchOver());
    // Shutting down: nothing can be proven any more; the next start goes on from the journal.
    if (this.#closed) return;
    if (unswitched !== undefined) return this.#revert(change, unswitched);
    await this.#note(change, "proving", attempt);
    // Closed since then: nobody would tell the proof that the Collector was stopped.
    if (this.#closed) return;
    const unproven = await this.#attempt(() => change.prove());
    if (this.#closed) return;
    if (unproven !== undefined) return this.#revert(change, unproven);
    await this.#keep(change, "switched");
  }

  async #resume(change: Change, entry: JournalEntry, lane: string): Promise<void> {
    switch (entry.step) {
      case "staging":
      case "checking":
        // It has touched nothing, and a newer offer of its lane is what is wanted now.
        if (this.#waiting.has(lane)) return this.#end();
        return this.#travel(lane, () => Promise.resolve(change));
      case "switching":
      case "proving":
        if (entry.attempt < maxAttempts) return this.#switch(change, entry.attempt + 1);
        return this.#revert(change, {
          fault: "own",
          reason: `the supervisor ended ${entry.attempt} times while this change was being applied`,
        });
      case "keeping":
        return this.#keep(change, entry.how ?? "switched");
      case "reverting":
        return this.#revert(change, entry.failure ?? { fault: "host", reason: "interrupted" });
    }
  }

  async #keep(change: Change, how: "switched" | "unchanged"): Promise<void> {
    await this.#note(change, "keeping", 1, { how });
    await this.#last(() => change.keep(how));
  }

  async #reject(change: Change, failure: Failure): Promise<void> {
    await this.#last(() => change.reject(failure));
  }

  async #revert(change: Change, failure: Failure): Promise<void> {
    await this.#note(change, "reverting", 1, { failure });
    await this.#last(() => change.revert(failure));
  }

  /** The last step ends the change even if it goes wrong: done again at every start it would go no better. */
  async #last(step: () => Promise<void>): Promise<void> {
    try {
      await step();
    } finally {
      await this.#end();
    }
  }

  /** Gives the error of a disk that cannot be written. It must not keep a revert from happening: the caller decides. */
  async #note(
    change: Change,
    step: Step,
    attempt = 1,
    more: Pick<JournalEntry, "failure" | "how"> = {},
  ): Promise<string | undefined> {
    const entry: JournalEntry = { ...change.record, step, attempt, ...more };
    return this.#journalled(() => this.#deps.journal.note(entry));
  }

  async #end(): Promise<void> {
    await this.#journalled(() => this.#deps.journal.end());
  }

  async #journalled(write: () => Promise<void>): Promise<string | undefined> {
    try {
      await write();
      return undefined;
    } catch (error) {
      const problem = describeError(error);
      this.#deps.logger.error({ event: "journal_failed", error: problem }, "cannot write the journal");
      return problem;
    }
  }

  async #attempt<T>(step: () => Promise<T>): Promise<T | Failure> {
    try {
      return await step();
    } catch (error) {
      const fault = this.#deps.isOwnFault(error) ? "own" : "host";
      return { fault, reason: describeError(error) };
    }
  }
}
