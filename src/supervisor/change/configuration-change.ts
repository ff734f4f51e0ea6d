import { toHex } from "../../foundation/hex.ts";
import { becauseOf } from "../collector/agent-log-excerpt.ts";
import { describeExit } from "../collector/process.ts";
import type { Change, ChangeRecord, Failure } from "./change.ts";
import { faultHash, type Reference } from "./configuration-book.ts";
import { findBrokenComponent, type Proof, type ProofWatch, watchForProof } from "./proof.ts";
import type { ConfigurationInputs } from "./snapshots.ts";
import { stateSaved } from "./state-saved.ts";
import { tidySnapshots } from "./tidy-snapshots.ts";
import { bringsPackages, causeOf, describeTrigger, detailOf, type Trigger } from "./trigger.ts";
import type { WayBack } from "./way-back.ts";
import type { Runnable, Verdict, Workshop } from "./workshop.ts";

interface ConfigurationChangeDeps {
  workshop: Workshop;
  wayBack: WayBack;
  /** Told once how it ended; no failure means that it was kept. */
  settled: (failure: Failure | undefined) => void;
  /** Known of a change that an earlier process had already merged. */
  stagedContentHash?: string;
}

/** The extension's own back-off, at its longest. */
const redialMs = 90_000;

/** A new merged configuration on the road, or the same one with other packages. */
export class ConfigurationChange implements Change {
  readonly record: ChangeRecord;
  readonly #trigger: Trigger;
  readonly #inputs: ConfigurationInputs;
  readonly #workshop: Workshop;
  readonly #wayBack: WayBack;
  readonly #settled: ConfigurationChangeDeps["settled"];
  readonly #startedAt: number;
  #contentHash: string;
  #violations: readonly string[] = [];
  #missingConnections: readonly string[] = [];
  #watch: ProofWatch | undefined;
  #proof: Proof | undefined;
  #adopted = false;
  readonly #resumed: boolean;
  #release: () => void = () => undefined;

  constructor(
    id: string,
    trigger: Trigger,
    inputs: ConfigurationInputs,
    { workshop, wayBack, settled, stagedContentHash = "" }: ConfigurationChangeDeps,
  ) {
    this.#trigger = trigger;
    this.#inputs = inputs;
    this.#workshop = workshop;
    this.#wayBack = wayBack;
    this.#settled = settled;
    this.#startedAt = workshop.clock.monotonic();
    this.#contentHash = stagedContentHash;
    this.#resumed = stagedContentHash !== "";
    this.record = {
      kind: bringsPackages(this.#trigger) ? "packages" : "configuration",
      id,
      detail: detailOf(trigger, inputs),
    };
  }

  async stage(): Promise<Failure | undefined> {
    const trigger = this.#trigger;
    // Before anything reads what it says.
    return (trigger.t === "remote" && (await this.#workshop.distrust(trigger.offer))) || this.#prepare();
  }

  async #prepare(): Promise<undefined> {
    const { id } = this.record;
    // First on disk: once the server was told, a supervisor that dies has to go on with it.
    const unwritable = await this.#workshop.snapshots
      .begin(id, this.#inputs)
      .catch((error: unknown) => error);
    if (bringsPackages(this.#trigger)) this.#workshop.installingPackages(this.#inputs.packages);
    await this.#report({ t: "applying" });
    if (unwritable !== undefined) throw unwritable;
    const merged = await this.#workshop.merge(this.#inputs, id);
    this.#contentHash = merged.contentHash;
    this.#violations = merged.violations;
    this.#missingConnections = merged.missingConnections ?? [];
    this.record.detail.contentHash = merged.contentHash;
    await this.#workshop.snapshots.save({ id, text: merged.text, inputs: this.#inputs });
    return undefined;
  }

  async check(signal: AbortSignal): Promise<Failure | "unchanged" | undefined> {
    const { book, collector } = this.#workshop;
    const { packages } = this.#inputs;
    if (this.#violations.length > 0) {
      return { fault: "own", reason: `refused by agent.restrictions: ${this.#violations.join("; ")}` };
    }
    // The server may yet offer them; nothing here is to blame that they have not come.
    if (this.#trigger.t === "remote" && this.#missingConnections.length > 0) {
      const names = this.#missingConnections.join(", ");
      return { fault: "host", reason: `it refers to connections that were not offered: ${names}` };
    }
    const missing = await this.#workshop.missingProgram(packages);
    if (missing !== undefined) return { fault: "host", reason: missing };
    const same =
      book.current?.contentHash === this.#contentHash &&
      book.current.id !== null &&
      book.current.packages === packages &&
      (await this.#workshop.snapshots.load(book.current.id)) !== undefined;
    if (this.#trigger.t === "local") {
      // It was sent back, or left by an earlier supervisor, and the order came meanwhile.
      if (book.current?.id === null) return { fault: "host", reason: "the order is to run no Collector" };
      // If it is down at this moment, that is the guard's to deal with.
      if (same) return "unchanged";
      const refused = book.quarantineOf(this.#contentHash);
      if (refused !== undefined) return { fault: "own", reason: refused.reason };
    }
    const { link } = collector;
    const broken = link?.health && findBrokenComponent(link.health);
    if (same && collector.state.t === "running" && broken === undefined) return "unchanged";
    if (bringsPackages(this.#trigger)) {
      const failure = await this.#workshop.checkProgram(packages);
      if (failure !== undefined) return failure;
    }
    const validation = await this.#workshop.validate(this.#runnable, signal);
    switch (validation.verdict) {
      case "valid":
        return undefined;
      case "invalid":
        return { fault: "own", reason: `${await this.#refuser()} refuses it: ${validation.reason}` };
      case "undecided":
        return { fault: "host", reason: validation.reason };
    }
  }

  /** A new program that refuses the configuration of the old one is the point of its refusal. */
  async #refuser(): Promise<string> {
    if (!bringsPackages(this.#trigger)) return "the Collector";
    const version = await this.#workshop.programVersion(this.#inputs.packages);
    return version === undefined ? "the Collector" : `Collector version ${version}`;
  }

  async switchOver(): Promise<Failure | undefined> {
    const { collector, clock, mayReload } = this.#workshop;
    const launch = await this.#workshop.launch(this.#runnable);
    this.#release = collector.claim();
    this.#watch = watchForProof(collector, {
      mark: launch.mark,
      clock,
      onKilled: () => collector.relaunchAfter(launch, 0, "killed from outside while it was being proven"),
    });
    // A supervisor that died after the switch finds its Collector running this very change.
    const runs = "launch" in collector.state && collector.state.launch.mark === launch.mark;
    this.#adopted = runs && collector.process !== undefined;
    if (this.#adopted) return undefined;
    if (this.#resumed) {
      // The port of the link or the binary may be another by now.
      await this.#prepare();
    }
    await this.#workshop.install(this.#runnable);
    try {
      await collector.run(launch, mayReload);
      return undefined;
    } catch (error) {
      return { fault: "host", reason: `the Collector cannot be started: ${(error as Error).message}` };
    }
  }

  async prove(): Promise<Failure | undefined> {
    const { applyTimeoutMs } = this.#workshop;
    // One that was left running dials again by a back-off of its own.
    const proof = await this.#watch?.within(this.#adopted ? redialMs + applyTimeoutMs : applyTimeoutMs);
    if (proof === undefined) return { fault: "host", reason: "nothing was switched" };
    this.#proof = proof;
    if (proof.t === "proven") return undefined;
    return { fault: proof.t === "unstartable" ? "host" : "own", reason: this.#explain(proof) };
  }

  async keep(how: "switched" | "unchanged"): Promise<void> {
    await this.#takeOver(how);
    await this.#report({ t: "applied" });
    this.#settled(undefined);
    await tidySnapshots(this.#workshop);
    const trigger = this.#trigger;
    if (trigger.t === "rollback") this.#workshop.runningChanged(trigger.reason, { forGood: true });
    else if (how === "switched") this.#workshop.runningChanged();
    else this.#workshop.labelChanged();
    // Only now: an exit in between is told to the guard, who knows by now whose it is.
    this.#done();
    this.#log("config_updated", "configuration applied", { unchanged: how === "unchanged" });
  }

  async reject(failure: Failure): Promise<void> {
    this.#done();
    await this.#fail(failure);
    const { book, collector } = this.#workshop;
    // On a host that never ran anything, or lost what it ran, there is nothing to leave alone.
    const nothingRuns = book.current?.id !== null && collector.state.t === "stopped";
    const { packages } = book.current ?? this.#inputs;
    if (nothingRuns && (await this.#workshop.missingProgram(packages)) === undefined)
      await this.#wayBack.go(failure.reason, { orElse: "bootstrap" });
    await tidySnapshots(this.#workshop);
  }

  async revert(failure: Failure): Promise<void> {
    this.#watch?.cancel();
    // The verdict stands already; the way back may take seconds.
    await this.#fail(failure);
    try {
      if (this.#leaveSlowStarter()) return;
      const { current } = this.#workshop.book;
      const outcome = await this.#wayBack.go(failure.reason, { orElse: "bootstrap" });
      if (outcome === "reverted" && current !== null) await this.#goOnAsLastKnownGood(current);
    } finally {
      this.#done();
    }
    await tidySnapshots(this.#workshop);
  }

  /** What ran before runs again, though the server wants another: it must not look as if that had been applied. */
  async #goOnAsLastKnownGood(before: Reference): Promise<void> {
    const { book } = this.#workshop;
    const { current } = book;
    if (this.#trigger.t !== "remote" || current?.id !== before.id || current.role !== "desired") return;
    if (current.id === null) return;
    await this.#saved(() => book.relabel({ ...current, role: "last-known-good" }));
    this.#workshop.labelChanged();
  }

  async #takeOver(how: "switched" | "unchanged"): Promise<void> {
    const { book } = this.#workshop;
    const { current } = book;
    if (how === "unchanged" && current !== null) await this.#takeOverUnchanged(current);
    else await book.keep(this.#reference());
    if (this.#trigger.t === "rollback") await this.#refuse(this.#trigger.from, this.#trigger.reason);
    await this.#saved(() => this.#workshop.saveKept(this.#inputs));
  }

  /** Nothing was switched, so the file and the mark that run stay; what they were made from is new. */
  async #takeOverUnchanged(current: Reference): Promise<void> {
    const { book, snapshots } = this.#workshop;
    const { id } = current;
    if (id !== null) await this.#saved(() => snapshots.saveInputs(id, this.#inputs));
    // Something on this host is no reason to think otherwise of an offer that is still on probation.
    if (this.#trigger.t !== "local") await book.relabel({ ...this.#reference(), id });
  }

  /**
   * A Collector that is only slow is left alone where going back would mean the empty configuration;
   * should it prove itself after all, the verdict is corrected.
   */
  #leaveSlowStarter(): boolean {
    const { book, collector } = this.#workshop;
    const nothingToLose =
      book.wayBack.length === 0 && (book.current === null || book.current.role === "bootstrap");
    if (this.#proof?.t !== "timed-out" || !nothingToLose || collector.process === undefined) return false;
    this.#workshop.provesLater(this.record.id, async () => {
      await this.#takeOver("switched");
      await tidySnapshots(this.#workshop);
      this.#workshop.runningChanged();
      this.#log("config_updated", "configuration applied, though late", {});
    });
    return true;
  }

  async #fail(failure: Failure): Promise<void> {
    const reason = this.#workshop.mask(failure.reason);
    this.#log("config_update_failed", "configuration refused", { error: reason, fault: failure.fault });
    // What an operator goes back to is offered by nobody, and was known to work.
    if (failure.fault === "own" && this.#trigger.t !== "rollback")
      await this.#refuse(this.#reference(), reason);
    await this.#report({ t: "failed", reason });
    this.#settled({ ...failure, reason });
  }

  async #refuse(reference: Reference, reason: string): Promise<void> {
    const { book, clock } = this.#workshop;
    await book.quarantine({ hash: faultHash(reference), reason, at: clock.now(), cause: reference.cause });
  }

  async #report(verdict: Verdict): Promise<void> {
    if (this.#trigger.t === "remote") await this.#workshop.reportRemote(this.#trigger.offer, verdict);
  }

  #explain(proof: Exclude<Proof, { t: "proven" }>): string {
    switch (proof.t) {
      case "exited":
        return `the Collector ended with this configuration (${describeExit(proof.exit)})${becauseOf(proof.excerpt)}`;
      case "unstartable":
        return `the Collector cannot be started: ${proof.reason}`;
      case "broken":
        return `a component is down for good: ${proof.reason}`;
      case "timed-out":
        return `Config apply timeout exceeded: ${proof.missing} within ${this.#workshop.applyTimeoutMs} ms`;
    }
  }

  #reference(): Reference {
    const { remote, packages } = this.#inputs;
    const remoteHash = remote === undefined ? null : toHex(remote.configHash);
    const { id } = this.record;
    const contentHash = this.#contentHash;
    return { id, contentHash, remoteHash, role: this.#role(), cause: causeOf(this.#trigger), packages };
  }

  get #runnable(): Runnable {
    return { id: this.record.id, packages: this.#inputs.packages, role: this.#role() };
  }

  /** Of the offer that this change carries, if it carries one. */
  #remoteHash(): string | undefined {
    return this.#trigger.t === "remote" ? toHex(this.#trigger.offer.configHash) : undefined;
  }

  /** With no configuration from anywhere the Collector runs, but collects nothing. */
  #role(): Reference["role"] {
    const { remote, localFiles } = this.#inputs;
    if (this.#trigger.t === "rollback") return "last-known-good";
    return remote === undefined && Object.keys(localFiles).length === 0 ? "bootstrap" : "desired";
  }

  #done(): void {
    this.#watch?.cancel();
    this.#release();
  }

  #log(event: string, message: string, fields: Record<string, unknown>): void {
    const { clock, logger } = this.#workshop;
    const level = event === "config_updated" ? "info" : "error";
    const config_hash = this.#remoteHash() ?? this.#contentHash;
    const duration_ms = Math.round(clock.monotonic() - this.#startedAt);
    const what = { trigger: describeTrigger(this.#trigger) };
    logger[level]({ event, config_hash, duration_ms, ...what, ...fields }, message);
  }

  /** What was proven is kept, whatever the disk says. */
  #saved(write: () => Promise<void>): Promise<boolean> {
    return stateSaved(this.#workshop.logger, write);
  }
}
