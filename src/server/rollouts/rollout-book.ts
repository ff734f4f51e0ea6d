import type { Transaction } from "kysely";
import type { Clock } from "../../foundation/clock.ts";
import type { Logger } from "../../foundation/logger.ts";
import type { ServerEvents } from "../events.ts";
import { releaseRules, withdrawRules } from "../offers/rule-rows.ts";
import type { Database } from "../storage/database.ts";
import type { Tables } from "../storage/tables.ts";
import type { Outcome } from "./course/apply.ts";
import type { Member, Rollout, StoryEntry } from "./course/rollout.ts";
import { isUnderWay } from "./course/state.ts";
import { quarantine } from "./quarantine.ts";
import type { ReleasedAgents } from "./released-agents.ts";
import {
  loadMembers,
  loadRollout,
  loadRollouts,
  loadStory,
  saveRollout,
  type Versioned,
} from "./rollout-rows.ts";

/** A rollout and the Agents of its stages, as they are now. */
export interface Entry {
  rollout: Rollout;
  members: Map<string, Member>;
  /** Of the row, as this server knows it. */
  version: number;
}

export interface RolloutBookOptions {
  database: Database;
  released: ReleasedAgents;
  clock: Clock;
  events: ServerEvents;
  log: Logger;
}

/** All rollouts: in the database, and in memory for those that decide on what an Agent is to have. */
export class RolloutBook {
  readonly #options: RolloutBookOptions;
  readonly #entries = new Map<string, Entry>();

  private constructor(options: RolloutBookOptions) {
    this.#options = options;
  }

  /** Reads what was there before the server's start. */
  static async open(options: RolloutBookOptions): Promise<RolloutBook> {
    const book = new RolloutBook(options);
    for (const found of (await loadRollouts(options.database)).toReversed()) await book.#takeOver(found);
    return book;
  }

  /** Takes over all that other servers have written since. */
  async refresh(): Promise<void> {
    for (const found of (await loadRollouts(this.#options.database)).toReversed()) {
      if (found.version !== this.#entries.get(found.rollout.id)?.version) await this.#takeOver(found);
    }
  }

  /** Reads what another server may have written of one. */
  async reload(id: string): Promise<void> {
    const known = this.#entries.get(id);
    const found = await loadRollout(this.#options.database, id);
    if (found !== undefined && found.version !== known?.version) await this.#takeOver(found);
  }

  /** The same for all that are under way, and those that are new. */
  async reloadAll(): Promise<void> {
    for (const found of (await loadRollouts(this.#options.database)).toReversed()) {
      if (found.version !== this.#entries.get(found.rollout.id)?.version) await this.#takeOver(found);
    }
  }

  get(id: string): Entry | undefined {
    return this.#entries.get(id);
  }

  /** Newest first. */
  list(): Rollout[] {
    return [...this.#entries.values()].map(({ rollout }) => rollout).toReversed();
  }

  underWay(): Entry[] {
    return [...this.#entries.values()].filter(({ rollout }) => isUnderWay(rollout.state));
  }

  story(id: string): Promise<StoryEntry[]> {
    return loadStory(this.#options.database, id);
  }

  /** Writes a new rollout; `issue` writes its rules in the same transaction and tells their numbers. */
  async create(
    rollout: Rollout,
    issue: (transaction: Transaction<Tables>) => Promise<Rollout["changes"]>,
    story: readonly StoryEntry[],
  ): Promise<Entry> {
    const written = await this.#options.database.transaction(async (transaction) => {
      const complete = { ...rollout, changes: await issue(transaction) };
      await saveRollout(transaction, complete, 0, [], story);
      return complete;
    });
    const entry = { rollout: written, members: new Map<string, Member>(), version: 1 };
    this.#entries.set(written.id, entry);
    this.#tell(written, story);
    return entry;
  }

  /**
   * Writes what came of a decision, all or nothing, and then lets it count.
   * @throws StaleRolloutError
   */
  async commit(entry: Entry, { rollout, members, reach, story }: Outcome): Promise<void> {
    const now = this.#options.clock.now();
    const numbers = rollout.changes.map(({ rule }) => rule);
    await this.#options.database.transaction(async (transaction) => {
      await saveRollout(transaction, rollout, entry.version, members, story);
      for (const each of reach) {
        if (each.t === "withdraw") await withdrawRules(transaction, numbers, now);
        if (each.t === "everybody") await releaseRules(transaction, rollout.id, now);
      }
      const breach = story.find(({ event }) => event === "breached");
      const isBack = rollout.state.t === "rolling-back";
      if (breach !== undefined && isBack) await quarantine(transaction, rollout, breach.text, now);
    });
    entry.version += 1;
    entry.rollout = rollout;
    for (const member of members) entry.members.set(member.id, member);
    this.#takeOverReach(rollout.id, members);
    this.#tell(rollout, story);
  }

  async #takeOver({ rollout, version }: Versioned): Promise<void> {
    const members = await loadMembers(this.#options.database, rollout.id);
    const known = this.#entries.get(rollout.id);
    if (known === undefined) this.#entries.set(rollout.id, { rollout, members, version });
    else Object.assign(known, { rollout, members, version });
    this.#takeOverReach(rollout.id, members.values());
  }

  #takeOverReach(id: string, members: Iterable<Member>): void {
    const released = [...members].filter(({ releasedAt }) => releasedAt !== undefined);
    this.#options.released.add(
      id,
      released.map((each) => each.id),
    );
  }

  #tell(rollout: Rollout, story: readonly StoryEntry[]): void {
    for (const { event, by, text } of story) {
      const fields = { event: "rollout", rollout: rollout.id, happened: event, state: rollout.state.t, by };
      const isBad = event === "breached" || event === "held-up" || event === "rollback-failed";
      if (isBad) this.#options.log.warn(fields, text);
      else this.#options.log.info(fields, text);
      const { id, state } = rollout;
      this.#options.events.publish({
        type: "rollout.changed",
        rollout: id,
        happened: event,
        state: state.t,
        by,
        text,
      });
    }
  }
}
