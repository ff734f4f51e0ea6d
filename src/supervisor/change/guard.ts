import { Backoff } from "../../foundation/backoff.ts";
import type { Timer } from "../../foundation/clock.ts";
import { describeError } from "../../foundation/errors.ts";
import type { ComponentHealth } from "../../opamp/messages.ts";
import { becauseOf } from "../collector/agent-log-excerpt.ts";
import type { CollectorEvent } from "../collector/collector-state.ts";
import type { Launch } from "../collector/launch.ts";
import { describeExit } from "../collector/process.ts";
import type { RestartPolicy } from "../collector/restart-policy.ts";
import { faultHash, hasWorked, type Reference } from "./configuration-book.ts";
import { Downtime } from "./downtime.ts";
import { findBrokenComponent, wasKilledFromOutside } from "./proof.ts";
import type { Road } from "./road.ts";
import { SlowStarter } from "./slow-starter.ts";
import { tidySnapshots } from "./tidy-snapshots.ts";
import type { WayBack } from "./way-back.ts";
import type { Workshop } from "./workshop.ts";

interface GuardDeps {
  workshop: Workshop;
  road: Road;
  wayBack: WayBack;
  policy: RestartPolicy;
  /** Writes the crash counters down, so that a reboot does not reset them. */
  savePolicy(): Promise<void>;
  /** `agent.probation`, milliseconds. */
  probationMs: number;
  /** The hash of the last status that was reported, if that is APPLIED. */
  reportedApplied(): string | undefined;
  /** Whether the last status that was reported says that this hash failed. */
  isReportedFailed(remoteHash: string): boolean;
  /** Corrects the verdict on the remote configuration that runs, or ran, unless the status is of a newer one. */
  correctVerdict(
    remoteHash: string,
    verdict: { t: "applied" } | { t: "failed"; reason: string },
  ): Promise<void>;
}

/** Time between tries to get from a fallback back to a configuration that once worked. */
const retryMs = 5 * 60_000;

/**
 * Watches over the Collector between changes: restarts it when it dies, ends or fails a probation, and
 * climbs the ladder out of a crash loop. What it does to the configuration it does on the road.
 */
export class Guard {
  readonly #deps: GuardDeps;
  #probation: { mark: string; timer: Timer; killed: boolean } | undefined;
  #retry: Timer | undefined;
  #takingBack: Timer | undefined;
  #stop: () => void = () => undefined;
  readonly #downtime: Downtime;
  readonly #startBackoff = new Backoff({ initialMs: 2_000, maxMs: 30_000, factor: 2, jitter: 0.5 });
  readonly #slowStarter: SlowStarter;

  constructor(deps: GuardDeps) {
    this.#deps = deps;
    this.#slowStarter = new SlowStarter(deps);
    this.#downtime = new Downtime(deps.workshop);
  }

  start(): void {
    this.#stop = this.#deps.workshop.collector.observe((event) => this.#onEvent(event));
  }

  stop(): void {
    this.#stop();
    this.#probation?.timer.cancel();
    this.#retry?.cancel();
    this.#takingBack?.cancel();
  }

  /** Called whenever another configuration has come to run. */
  runningChanged(because?: string): void {
    this.#deps.policy.recordConfigurationChanged();
    this.#save();
    this.watchCurrent();
    if (because !== undefined) this.#tellWhatWasLost(because);
  }

  /** A change of this host's own can take the server's configuration with it when it is taken back. */
  #tellWhatWasLost(reason: string): void {
    const { workshop, road } = this.#deps;
    const lost = () => {
      const hash = this.#deps.reportedApplied();
      return hash === workshop.book.current?.remoteHash ? undefined : hash;
    };
    if (lost() === undefined) return;
    road.urgent(async () => {
      const hash = lost();
      if (hash !== undefined) await this.#deps.correctVerdict(hash, { t: "failed", reason });
    });
  }

  /** Begins the probation of what runs, if it is on one; its crash counters go on. */
  watchCurrent(): void {
    const { book, clock, collector } = this.#deps.workshop;
    this.#probation?.timer.cancel();
    this.#probation = undefined;
    this.#retry?.cancel();
    this.#takingBack?.cancel();
    this.#takingBack = undefined;
    const { current } = book;
    const makesDo = current?.role === "fallback" || current?.role === "bootstrap";
    if (collector.state.t === "held" || (makesDo && book.wayBack.length > 0))
      this.#retry = clock.setTimer(retryMs, () => this.#tryBetter());
    if (current === null || current.id === null) return;
    const { id } = current;
    // It may be one that failed under circumstances that are gone, and that was gone back to.
    this.#takeBackFailureLater(id);
    if (book.onProbation && !book.currentIsQuarantined) {
      const timer = clock.setTimer(this.#deps.probationMs, () => this.#endProbation());
      this.#probation = { mark: current.id, timer, killed: false };
      // What was reported before the watch began counts too.
      const { link } = collector;
      if (link?.mark === current.id && link.health !== undefined) this.#judge(current.id, link.health);
    }
  }

  /** See {@link Workshop.provesLater}. */
  provesLater(mark: string, keep: () => Promise<void>): void {
    this.#slowStarter.wait(mark, async () => {
      await keep();
      await this.#takeBackFailure(mark);
    });
  }

  #onEvent(event: CollectorEvent): void {
    switch (event.t) {
      case "exited":
        this.#takingBack?.cancel();
        this.#takingBack = undefined;
        if (!event.claimed) this.#onExit(event);
        return;
      case "start-failed":
        if (!this.#deps.workshop.collector.claimed) this.#startLater(event.launch, event.error);
        return;
      case "health": {
        if (event.health.healthy) this.#onHealthy(event.mark);
        else this.#deps.policy.recordUnhealthy();
        this.#judge(event.mark, event.health);
        return;
      }
      case "linked":
        this.#identify();
        return;
      case "unlinked":
      case "effective-config":
      case "state":
    }
  }

  /** A supervisor that died between file and process may have left one that is not what was written down. */
  #identify(): void {
    const { workshop, road } = this.#deps;
    const { collector, book } = workshop;
    const isOther = () => {
      const { state, link } = collector;
      const isUp = state.t === "running" || state.t === "starting";
      return isUp && link !== undefined && link.mark !== state.launch.mark;
    };
    if (collector.claimed || !isOther()) return;
    road.urgent(async () => {
      const { current } = book;
      if (!isOther() || current === null || current.id === null) return;
      const what = { ...current, id: current.id };
      await workshop.install(what);
      await collector.run(await workshop.launch(what), workshop.mayReload);
    });
  }

  #judge(mark: string, health: ComponentHealth): void {
    const broken = this.#probation?.mark === mark ? findBrokenComponent(health) : undefined;
    if (broken === undefined) return;
    this.#failCurrent(Promise.resolve(`a component went down for good on probation: ${broken}`));
  }

  #onExit({ exit, launch, excerpt, hung }: CollectorEvent & { t: "exited" }): void {
    const probation = this.#probation;
    const what = hung === undefined ? describeExit(exit) : `killed by us, because ${hung}`;
    this.#downtime.began(what);
    if (launch.mark === this.#slowStarter.mark) return;
    if (probation?.mark !== launch.mark) {
      this.#restart(launch, what, excerpt);
      return;
    }
    if (hung === undefined && wasKilledFromOutside(exit) && !probation.killed) {
      probation.killed = true;
      this.#deps.workshop.collector.relaunchAfter(launch, 0, what);
      return;
    }
    this.#failCurrent(excerpt.then((text) => `the Collector ended on probation (${what})${becauseOf(text)}`));
  }

  /** Steady state: at once the first time, then with back-off, until it is a crash loop. */
  #restart(launch: Launch, what: string, excerpt: Promise<string>): void {
    const { workshop, policy } = this.#deps;
    const { delayMs, crashLoop, attempt } = policy.recordExit();
    this.#save();
    if (crashLoop) {
      const times = `crash loop: the Collector ended ${attempt} times, last with ${what}`;
      this.#failCurrent(excerpt.then((text) => `${times}${becauseOf(text)}`));
      return;
    }
    const fields = { event: "collector_restarting", reason: what, delay_ms: delayMs, attempt };
    workshop.logger.warn(
      fields,
      delayMs === 0 ? "restarting the Collector" : "restarting the Collector after a wait",
    );
    workshop.collector.relaunchAfter(launch, delayMs, what);
  }

  /** The host has no process to spare, or the binary is being replaced: that is no fault of a configuration. */
  #startLater(launch: Launch, error: Error): void {
    const { collector, logger } = this.#deps.workshop;
    const delayMs = this.#startBackoff.next();
    const fields = { event: "collector_start_failed", error: error.message, retry_in_ms: delayMs };
    logger.error(fields, "the Collector cannot be started");
    collector.relaunchAfter(launch, delayMs, error.message);
  }

  #onHealthy(mark: string): void {
    this.#startBackoff.reset();
    this.#downtime.ended();
    this.#deps.policy.recordHealthy();
    this.#takeBackFailureLater(mark);
  }

  /** Not before it has run for as long as a probation: a crash loop is healthy between its crashes too. */
  #takeBackFailureLater(mark: string): void {
    if (this.#takingBack !== undefined || this.#failedThatRuns(mark) === undefined) return;
    this.#takingBack = this.#deps.workshop.clock.setTimer(this.#deps.probationMs, () => {
      this.#takingBack = undefined;
      this.#deps.road.urgent(() => this.#takeBackFailure(mark));
    });
  }

  /** A verdict that a timeout or a crash loop turned to FAILED is corrected once the same configuration runs. */
  async #takeBackFailure(mark: string): Promise<void> {
    const hash = this.#failedThatRuns(mark);
    const runs = this.#deps.workshop.collector.state.t === "running";
    const { book } = this.#deps.workshop;
    if (hash === undefined || !runs || book.current === null) return;
    await book.release(book.current);
    await book.relabel({ ...book.current, role: "desired" });
    const snapshot = await this.#deps.workshop.snapshots.load(mark);
    if (snapshot !== undefined) await this.#deps.workshop.saveKept(snapshot.inputs);
    await this.#deps.correctVerdict(hash, { t: "applied" });
    this.#deps.workshop.labelChanged();
  }

  /** The remote hash of what runs, if it is reported FAILED and is nevertheless what should run. */
  #failedThatRuns(mark: string): string | undefined {
    const { book } = this.#deps.workshop;
    const { current } = book;
    if (current?.id !== mark || !hasWorked(current) || book.currentIsQuarantined) return undefined;
    const { remoteHash } = current;
    return remoteHash !== null && this.#deps.isReportedFailed(remoteHash) ? remoteHash : undefined;
  }

  #endProbation(): void {
    const mark = this.#probation?.mark;
    this.#probation = undefined;
    this.#deps.road.urgent(async () => {
      const { workshop } = this.#deps;
      const { book, collector } = workshop;
      // A new offer may have been quicker, or the Collector may be down or not have dialled again at this moment.
      if (book.current?.id !== mark || !book.onProbation) return;
      if (collector.state.t !== "running" || collector.link?.mark !== mark) {
        this.watchCurrent();
        return;
      }
      await book.endProbation();
      await tidySnapshots(workshop);
    });
  }

  /** The configuration that runs turned out bad: its verdict is corrected and the way back is taken. */
  #failCurrent(reason: Promise<string>): void {
    const { workshop, road } = this.#deps;
    // Taken down now: by the time of its turn another configuration may run.
    const failed = workshop.book.current;
    const release = workshop.collector.claim();
    this.#probation?.timer.cancel();
    this.#probation = undefined;
    road.urgent(async () => {
      try {
        if (workshop.book.current?.id !== failed?.id) return;
        await this.#revertCurrent(failed, workshop.mask(await reason));
      } finally {
        release();
      }
    });
  }

  async #revertCurrent(failed: Reference | null, reason: string): Promise<void> {
    const { workshop, wayBack } = this.#deps;
    const { book, clock, logger } = workshop;
    if (failed === null) {
      await wayBack.go(reason, { orElse: "bootstrap" });
      return;
    }
    const isOffer = failed.cause === "remote" || failed.cause === "remote+packages";
    const reported = isOffer ? failed.remoteHash : null;
    const elsewhere = book.wayBack.length > 0;
    // The first configuration of a host that ran an empty Collector before, and is not to be worse off now.
    const isFirst = !elsewhere && book.onProbation;
    const fields = {
      event: "config_update_failed",
      config_hash: failed.remoteHash ?? failed.contentHash,
      error: reason,
    };
    logger.error(fields, "the configuration that runs turned out bad");
    // First on disk: a supervisor that dies now must not start this configuration again. The only one that ever
    // worked is come back to from time to time; that it is offered again is no reason to.
    const worked = !(elsewhere || isFirst);
    if (!worked || hasWorked(failed)) {
      const { cause } = failed;
      const hash = faultHash(failed);
      await book.quarantine({ hash, reason, at: clock.now(), cause, ...(worked && { worked }) });
    }
    if (reported !== null) await this.#deps.correctVerdict(reported, { t: "failed", reason });
    const orElse = isFirst ? "bootstrap" : "hold";
    await wayBack.go(reason, { orElse, skipCurrent: true, crashed: true });
    await tidySnapshots(workshop);
  }

  #tryBetter(): void {
    this.#deps.road.urgent(async () => {
      const { book, collector } = this.#deps.workshop;
      const role = book.current?.role;
      const makesDo = role === "fallback" || role === "bootstrap";
      // Something else may have come to run since, or the order to run nothing.
      if (book.current?.id === null || !(collector.state.t === "held" || makesDo)) return;
      const isQuarantined = book.currentIsQuarantined;
      const skipCurrent = makesDo || isQuarantined;
      const hasNothing =
        book.current === null || role === "bootstrap" || (isQuarantined && book.wayBack.length === 0);
      const orElse = hasNothing ? "bootstrap" : "hold";
      await this.#deps.wayBack.go("trying again what worked before", { orElse, skipCurrent });
    });
  }

  #save(): void {
    this.#deps.savePolicy().catch((error: unknown) => {
      const fields = { event: "state_not_saved", error: describeError(error) };
      this.#deps.workshop.logger.error(fields, "cannot write the crash counters");
    });
  }
}
