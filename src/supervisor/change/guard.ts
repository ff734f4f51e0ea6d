import type { Timer } from "../../foundation/clock.ts";
import { describeError } from "../../foundation/errors.ts";
import { becauseOf } from "../collector/agent-log-excerpt.ts";
import type { CollectorEvent, Launch } from "../collector/collector.ts";
import { describeExit } from "../collector/process.ts";
import type { RestartPolicy } from "../collector/restart-policy.ts";
import { faultHash } from "./configuration-book.ts";
import { findBrokenComponent, wasKilledFromOutside, watchForProof } from "./proof.ts";
import type { Road } from "./road.ts";
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
  #stop: () => void = () => undefined;
  /** A slow starter that was given up waiting for, but not taken back. */
  #late: string | undefined;

  constructor(deps: GuardDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#stop = this.#deps.workshop.collector.observe((event) => this.#onEvent(event));
  }

  stop(): void {
    this.#stop();
    this.#probation?.timer.cancel();
    this.#retry?.cancel();
  }

  /** Called whenever another configuration has come to run. */
  runningChanged(): void {
    this.#deps.policy.recordConfigurationChanged();
    this.watchCurrent();
  }

  /** Begins the probation of what runs, if it is on one; its crash counters go on. */
  watchCurrent(): void {
    const { book, clock } = this.#deps.workshop;
    this.#probation?.timer.cancel();
    this.#probation = undefined;
    this.#retry?.cancel();
    const { current } = book;
    if (current === null || current.id === null) return;
    if (book.onProbation) {
      const timer = clock.setTimer(this.#deps.probationMs, () => this.#endProbation());
      this.#probation = { mark: current.id, timer, killed: false };
    }
    const makesDo = current.role === "fallback" || current.role === "bootstrap";
    if (makesDo && book.wayBack.length > 0) this.#retry = clock.setTimer(retryMs, () => this.#tryBetter());
  }

  /** See {@link Workshop.provesLater}. One that ends before it has proven itself makes room for what ran before. */
  provesLater(mark: string, keep: () => Promise<void>): void {
    const { workshop, road, wayBack } = this.#deps;
    const { book, collector, clock, snapshots } = workshop;
    this.#late = mark;
    const finish = () => {
      stop();
      watch.cancel();
      if (this.#late === mark) this.#late = undefined;
    };
    const end = (next: () => Promise<void>) =>
      road.urgent(async () => {
        if (this.#late !== mark) return;
        finish();
        await next();
      });
    const giveUp = async () => {
      await wayBack.go("it ended before it was healthy", { orElse: "bootstrap" });
      await snapshots.keepOnly(book.snapshotIds);
    };
    const watch = watchForProof(collector, { mark, clock, onKilled: () => end(giveUp) });
    const stop = collector.observe((event) => {
      if (event.t !== "state") return;
      const { state } = event;
      // Another configuration is run, or none: this one's time is over.
      if ("launch" in state ? state.launch.mark !== mark : state.t === "stopping") finish();
    });
    void watch.within(24 * 60 * 60_000).then((proof) => end(proof.t === "proven" ? keep : giveUp));
  }

  #onEvent(event: CollectorEvent): void {
    switch (event.t) {
      case "exited":
        if (!event.claimed) this.#onExit(event);
        return;
      case "start-failed":
        this.#restart(event.launch, `it cannot be started: ${event.error.message}`, Promise.resolve(""));
        return;
      case "health": {
        if (event.health.healthy) this.#onHealthy(event.mark);
        else this.#deps.policy.recordUnhealthy();
        const probation = this.#probation;
        const broken = findBrokenComponent(event.health);
        if (probation?.mark === event.mark && broken !== undefined) {
          this.#failCurrent(`a component went down for good on probation: ${broken}`);
        }
        return;
      }
      case "linked":
      case "unlinked":
      case "effective-config":
      case "state":
    }
  }

  #onExit({ exit, launch, excerpt, hung }: CollectorEvent & { t: "exited" }): void {
    const probation = this.#probation;
    const what = hung === undefined ? describeExit(exit) : `killed by us, because ${hung}`;
    if (launch.mark === this.#late) return;
    if (probation?.mark !== launch.mark) {
      this.#restart(launch, what, excerpt);
      return;
    }
    if (hung === undefined && wasKilledFromOutside(exit) && !probation.killed) {
      probation.killed = true;
      this.#deps.workshop.collector.relaunchAfter(launch, 0, what);
      return;
    }
    void excerpt.then((text) =>
      this.#failCurrent(`the Collector ended on probation (${what})${becauseOf(text)}`),
    );
  }

  /** Steady state: at once the first time, then with back-off, until it is a crash loop. */
  #restart(launch: Launch, what: string, excerpt: Promise<string>): void {
    const { workshop, policy } = this.#deps;
    const { delayMs, crashLoop, attempt } = policy.recordExit();
    this.#save();
    if (crashLoop) {
      void excerpt.then((text) =>
        this.#failCurrent(
          `crash loop: the Collector ended ${attempt} times, last with ${what}${becauseOf(text)}`,
        ),
      );
      return;
    }
    const fields = { event: "collector_restarting", reason: what, delay_ms: delayMs, attempt };
    workshop.logger.warn(
      fields,
      delayMs === 0 ? "restarting the Collector" : "restarting the Collector after a wait",
    );
    workshop.collector.relaunchAfter(launch, delayMs, what);
  }

  /** A verdict that a crash loop turned to FAILED is taken back once the same configuration runs after all. */
  #onHealthy(mark: string): void {
    const { workshop, policy, road, isReportedFailed, correctVerdict } = this.#deps;
    policy.recordHealthy();
    const { book } = workshop;
    const { current } = book;
    if (current?.id !== mark || current.role !== "desired" || book.currentIsQuarantined) return;
    const hash = current.remoteHash;
    if (hash === null || !isReportedFailed(hash)) return;
    road.urgent(async () => {
      const stillRuns = book.current?.id === mark && !book.currentIsQuarantined;
      if (stillRuns && workshop.collector.state.t === "running") await correctVerdict(hash, { t: "applied" });
    });
  }

  #endProbation(): void {
    const mark = this.#probation?.mark;
    this.#probation = undefined;
    this.#deps.road.urgent(async () => {
      const { book, snapshots, collector } = this.#deps.workshop;
      // A new offer may have been quicker, or the Collector may be down at this moment.
      if (book.current?.id !== mark || !book.onProbation) return;
      if (collector.state.t !== "running") {
        this.watchCurrent();
        return;
      }
      await book.endProbation();
      await snapshots.keepOnly(book.snapshotIds);
    });
  }

  /** The configuration that runs turned out bad: its verdict is corrected and the way back is taken. */
  #failCurrent(reason: string): void {
    const { workshop, road } = this.#deps;
    const failed = workshop.book.current;
    const release = workshop.collector.claim();
    this.#probation?.timer.cancel();
    this.#probation = undefined;
    road.urgent(async () => {
      try {
        if (failed === null || workshop.book.current?.id !== failed.id) return;
        await this.#revertCurrent(workshop.mask(reason));
      } finally {
        release();
      }
    });
  }

  async #revertCurrent(reason: string): Promise<void> {
    const { workshop, wayBack } = this.#deps;
    const { book, clock, logger } = workshop;
    const failed = book.current;
    if (failed === null) return;
    const reported = failed.cause === "remote" && failed.role === "desired" ? failed.remoteHash : null;
    const elsewhere = book.wayBack.length > 0;
    // The first configuration of a host that ran an empty Collector before, and is not to be worse off now.
    const isFirst = !elsewhere && book.onProbation;
    const fields = {
      event: "config_update_failed",
      config_hash: failed.remoteHash ?? failed.contentHash,
      error: reason,
    };
    logger.error(fields, "the configuration that runs turned out bad");
    if (elsewhere || isFirst) {
      // First on disk: a supervisor that dies now must not start this configuration again.
      await book.quarantine({ hash: faultHash(failed), reason, at: clock.now() }).catch((error: unknown) => {
        logger.error(
          { event: "state_not_saved", error: describeError(error) },
          "cannot write the quarantine",
        );
      });
    }
    if (reported !== null) await this.#deps.correctVerdict(reported, { t: "failed", reason });
    const inputs = isFirst && failed.id !== null ? (await workshop.snapshots.load(failed.id))?.inputs : undefined;
    await wayBack.go(reason, { orElse: isFirst ? "bootstrap" : "hold", skipCurrent: true });
    // Nothing was ever kept, as far as the next change and the reference's files are concerned.
    if (inputs !== undefined) await workshop.saveKept({ ...inputs, remote: undefined, localFiles: {} });
    await workshop.snapshots.keepOnly(book.snapshotIds);
  }

  #tryBetter(): void {
    this.#deps.road.urgent(async () => {
      await this.#deps.wayBack.go("trying again what worked before", { orElse: "hold", skipCurrent: true });
    });
  }

  #save(): void {
    this.#deps.savePolicy().catch((error: unknown) => {
      const fields = { event: "state_not_saved", error: describeError(error) };
      this.#deps.workshop.logger.error(fields, "cannot write the crash counters");
    });
  }
}
