import { assertNever } from "../../foundation/assert-never.ts";
import type { Clock } from "../../foundation/clock.ts";
import type { Logger } from "../../foundation/logger.ts";
import type { ComponentHealth, EffectiveConfig } from "../../opamp/messages.ts";
import type { CollectorEvent, CollectorState, LinkView } from "./collector-state.ts";
import { type Launch, programHash, sameProgram } from "./launch.ts";
import { type CollectorExit, type CollectorProcess, describeExit, type ProcessIdentity } from "./process.ts";

/** What is kept on disk about the running process, so that a later supervisor can adopt it. */
export interface RunningRecord {
  process: ProcessIdentity;
  mark: string;
  /** {@link programHash} of the launch: the environment may hold secrets and is not written down. */
  program: string;
  healthy: boolean;
}

export interface CollectorDeps {
  clock: Clock;
  logger: Logger;
  spawn(launch: Launch): Promise<CollectorProcess>;
  log: { position(): Promise<number>; excerptSince(position: number): Promise<string> };
  /** Writes or removes the record of the running process. */
  record(running: RunningRecord | undefined): Promise<void>;
}

/** Grace between SIGTERM and SIGKILL, as in the reference. */
const stopGraceMs = 10_000;
const unstartedGraceMs = 1_000;

/**
 * The one Collector of this host. Every start, reload, stop and adoption goes through here, one after
 * another; an exit that nobody asked for is told to observers, who decide what happens next.
 */
export class Collector {
  #state: CollectorState = { t: "stopped" };
  #link: LinkView | undefined;
  /** Links up to this id belong to an earlier launch or reload and prove nothing. */
  #staleLinkId = 0;
  #newestLinkId = 0;
  #busy: Promise<unknown> = Promise.resolve();
  #claims = 0;
  #hung: string | undefined;
  /** An exit that a claimant was told of and has not acted on. */
  #unanswered: Extract<CollectorEvent, { t: "exited" }> | undefined;
  /** Grows with every order to run or stop: a restart that was planned before it is void. */
  #generation = 0;
  #closed = false;
  readonly #observers = new Set<(event: CollectorEvent) => void>();
  readonly #deps: CollectorDeps;

  constructor(deps: CollectorDeps) {
    this.#deps = deps;
  }

  get state(): CollectorState {
    return this.#state;
  }

  /** What the newest link of the present launch has reported. */
  get link(): LinkView | undefined {
    return this.#link !== undefined && this.#link.linkId > this.#staleLinkId ? this.#link : undefined;
  }

  /** The live process, if there is one. */
  get process(): CollectorProcess | undefined {
    return "process" in this.#state ? this.#state.process : undefined;
  }

  observe(observer: (event: CollectorEvent) => void): () => void {
    this.#observers.add(observer);
    return () => this.#observers.delete(observer);
  }

  /** Whether nothing can be started any more, because the supervisor is going. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Whether somebody has taken it upon himself to deal with an exit. */
  get claimed(): boolean {
    return this.#claims > 0;
  }

  /** Ends a Collector that hangs; to observers it is an exit with this reason. */
  killHung(reason: string): void {
    const { process } = this;
    if (process === undefined || this.#state.t === "stopping") return;
    this.#deps.logger.error(
      { event: "collector_hung", pid: process.pid, reason },
      `the Collector hangs: ${reason}`,
    );
    this.#hung = reason;
    process.kill();
  }

  /**
   * Until released, what happens after an exit is the claimant's to decide. One that he did nothing about is
   * told again after the last release, so that no exit is ever nobody's.
   */
  claim(): () => void {
    this.#claims += 1;
    let released = false;
    return () => {
      if (released) return;
      released = true;
      this.#claims -= 1;
      const unanswered = this.#unanswered;
      if (this.#claims > 0 || unanswered === undefined || this.#state.t !== "stopped") return;
      this.#unanswered = undefined;
      this.#emit({ ...unanswered, claimed: false });
    };
  }

  /**
   * Makes the Collector run `launch`: a reload where `mayReload` allows and the process can take one,
   * else a restart. Resolves when the signal is sent or the process is there, not when it is healthy.
   * @throws when the process cannot be started; nothing runs then.
   */
  run(launch: Launch, mayReload: boolean): Promise<"reloaded" | "started"> {
    this.#generation += 1;
    return this.#exclusively(async () => {
      const state = this.#state;
      if (mayReload && this.#canReload(state, launch)) {
        this.#staleLinkId = this.#newestLinkId;
        const logPosition = await this.#deps.log.position();
        if (this.#state === state && state.process.signal("SIGHUP")) {
          this.#become({ t: "starting", launch, process: state.process, everHealthy: true, logPosition });
          await this.#saveRecord();
          return "reloaded";
        }
      }
      // One that never became healthy has nothing to flush and may hang; nor has one that hangs in a reload,
      // for which it had shut down its pipelines.
      const hasData = state.t !== "starting" || (state.everHealthy && this.link !== undefined);
      await this.#end(hasData ? stopGraceMs : unstartedGraceMs);
      await this.#start(launch);
      return "started";
    });
  }

  /** Starts again what ended, after `delayMs`; the wait ends early when something else is run. */
  relaunchAfter(launch: Launch, delayMs: number, reason: string): void {
    if (delayMs <= 0) {
      this.#relaunch(launch);
      return;
    }
    this.#unanswered = undefined;
    const timer = this.#deps.clock.setTimer(delayMs, () => this.#relaunch(launch));
    this.#become({ t: "backing-off", launch, reason, timer });
  }

  /** Gives up for `retryMs`: everything known was tried and nothing runs. */
  hold(launch: Launch, retryMs: number, reason: string): void {
    if (this.#closed) return;
    this.#unanswered = undefined;
    const timer = this.#deps.clock.setTimer(retryMs, () => this.#relaunch(launch));
    this.#become({ t: "held", launch, reason, timer });
  }

  /** Stops the Collector, or the wait for its next start. SIGKILL follows after `graceMs`. */
  stop(graceMs = stopGraceMs): Promise<void> {
    this.#unanswered = undefined;
    this.#generation += 1;
    return this.#exclusively(() => this.#end(graceMs));
  }

  /** Stops the Collector for good: nothing can start it again in this process. */
  close(): Promise<void> {
    this.#closed = true;
    return this.stop();
  }

  /** Leaves the Collector running for the next supervisor to adopt (hand-over). */
  release(): Promise<void> {
    // After a start that is under way: what it stopped must not stay down.
    return this.#exclusively(async () => {
      this.#closed = true;
      const { process } = this;
      if (process !== undefined) {
        process.release();
        this.#become({ t: "stopping", process });
      }
      this.#become({ t: "stopped" });
    });
  }

  /** Takes over a process that an earlier supervisor started. */
  async adopt(process: CollectorProcess, launch: Launch, wasHealthy: boolean): Promise<void> {
    const logPosition = await this.#deps.log.position();
    this.#watch(process);
    this.#become(
      wasHealthy
        ? { t: "running", launch, process, logPosition }
        : { t: "starting", launch, process, everHealthy: false, logPosition },
    );
    this.#catchUp();
  }

  /** It may have dialled in before it was known to be ours, and says nothing twice. */
  #catchUp(): void {
    const { link } = this;
    if (link?.health === undefined) return;
    this.#noteHealthy(link.health);
    this.#emit({ t: "health", mark: link.mark, health: link.health });
  }

  linked(linkId: number, mark: string): void {
    this.#newestLinkId = Math.max(this.#newestLinkId, linkId);
    if (linkId < this.#newestLinkId) return;
    this.#link = { linkId, mark, health: undefined, effectiveConfig: undefined };
    this.#emit({ t: "linked", mark });
  }

  unlinked(linkId: number): void {
    if (this.#link?.linkId !== linkId) return;
    this.#link = undefined;
    this.#emit({ t: "unlinked" });
    // An adopted process is not our child: the link tells of its death before the next look at /proc.
    this.process?.checkAlive();
  }

  reported(linkId: number, report: { health?: ComponentHealth; effectiveConfig?: EffectiveConfig }): void {
    const link = this.#link;
    if (link === undefined || link.linkId !== linkId) return;
    const { mark } = link;
    if (report.effectiveConfig !== undefined) {
      link.effectiveConfig = report.effectiveConfig;
      this.#emit({ t: "effective-config", mark, effectiveConfig: report.effectiveConfig });
    }
    if (report.health !== undefined) {
      link.health = report.health;
      this.#noteHealthy(report.health);
      this.#emit({ t: "health", mark, health: report.health });
    }
  }

  #noteHealthy(health: ComponentHealth): void {
    const state = this.#state;
    if (!health.healthy || state.t !== "starting" || this.link?.mark !== state.launch.mark) return;
    const { launch, process, logPosition } = state;
    this.#become({ t: "running", launch, process, logPosition });
    void this.#saveRecord();
  }

  #canReload(
    state: CollectorState,
    launch: Launch,
  ): state is Extract<CollectorState, { t: "running" | "starting" }> {
    // A SIGHUP that arrives before the Collector has started kills it.
    const started =
      state.t === "running" || (state.t === "starting" && state.everHealthy && this.link !== undefined);
    return started && sameProgram(state.launch, launch) && !state.process.isWrapper();
  }

  #relaunch(launch: Launch): void {
    this.#unanswered = undefined;
    const generation = this.#generation;
    this.#exclusively(async () => {
      // Something else was run, or told to stop, while this waited for its turn.
      if (this.process !== undefined || generation !== this.#generation || this.#closed) return;
      if (this.#state.t !== "stopped") this.#become({ t: "stopped" });
      await this.#start(launch);
    }).catch((error: unknown) => {
      this.#emit({
        t: "start-failed",
        launch,
        error: error instanceof Error ? error : new Error(String(error)),
      });
    });
  }

  async #start(launch: Launch): Promise<void> {
    if (this.#closed) throw new Error("the supervisor is stopping");
    this.#unanswered = undefined;
    const logPosition = await this.#deps.log.position();
    this.#staleLinkId = this.#newestLinkId;
    const process = await this.#deps.spawn(launch);
    this.#watch(process);
    this.#become({ t: "starting", launch, process, everHealthy: false, logPosition });
    this.#catchUp();
    await this.#saveRecord();
  }

  async #end(graceMs: number): Promise<void> {
    const state = this.#state;
    switch (state.t) {
      case "stopped":
        return;
      case "backing-off":
      case "held":
        state.timer.cancel();
        this.#become({ t: "stopped" });
        return;
      case "starting":
      case "running":
      case "stopping": {
        const { process } = state;
        this.#become({ t: "stopping", process });
        await process.stop({ graceMs });
        this.#become({ t: "stopped" });
        await this.#saveRecord();
        return;
      }
      default:
        assertNever(state);
    }
  }

  #watch(process: CollectorProcess): void {
    void process.exited.then((exit) => this.#onExit(process, exit));
  }

  #onExit(process: CollectorProcess, exit: CollectorExit): void {
    const state = this.#state;
    if (!("logPosition" in state) || state.process !== process) return;
    const { launch, logPosition } = state;
    const excerpt = this.#deps.log.excerptSince(logPosition).catch(() => "");
    this.#become({ t: "stopped" });
    this.#deps.logger.warn(
      {
        event: "collector_exited",
        pid: exit.pid,
        uptime_ms: Math.round(exit.uptimeMs),
        exit: describeExit(exit),
      },
      `the Collector ended: ${describeExit(exit)}`,
    );
    const hung = this.#hung;
    this.#hung = undefined;
    const event = { t: "exited" as const, exit, launch, excerpt, claimed: this.claimed, hung };
    if (event.claimed) this.#unanswered = event;
    this.#emit(event);
  }

  async #saveRecord(): Promise<void> {
    const state = this.#state;
    try {
      if (state.t === "starting" || state.t === "running") {
        const { process, launch } = state;
        const { mark } = launch;
        const healthy = state.t === "running";
        await this.#deps.record({ process: process.identity, mark, program: programHash(launch), healthy });
      } else if (this.process === undefined) {
        await this.#deps.record(undefined);
      }
    } catch (error) {
      this.#recordFailed(error);
    }
  }

  /** A disk that is full must not stop the Collector; the next start then finds the process by its command line. */
  #recordFailed(error: unknown): void {
    const text = error instanceof Error ? error.message : String(error);
    this.#deps.logger.error(
      { event: "collector_record_failed", error: text },
      "cannot write down which Collector process runs",
    );
  }

  #become(state: CollectorState): void {
    if ("timer" in this.#state) this.#state.timer.cancel();
    this.#deps.logger.debug(
      { event: "collector_state", from: this.#state.t, to: state.t },
      `Collector ${this.#state.t} -> ${state.t}`,
    );
    this.#state = state;
    this.#emit({ t: "state", state });
  }

  #emit(event: CollectorEvent): void {
    for (const observer of [...this.#observers]) observer(event);
  }

  #exclusively<T>(action: () => Promise<T>): Promise<T> {
    const result = this.#busy.then(action, action);
    this.#busy = result.catch(() => undefined);
    return result;
  }
}
