import { create } from "@bufbuild/protobuf";
import type { Clock } from "../../src/foundation/clock.ts";
import {
  type ComponentHealth,
  ComponentHealthSchema,
  type EffectiveConfig,
  EffectiveConfigSchema,
} from "../../src/opamp/messages.ts";
import type { CollectorProcess } from "../../src/supervisor/collector/process.ts";
import type { Life } from "./simulated-life.ts";

/** A merged configuration of the simulation. Each part is a word, perhaps with a comment; "is: " before it makes it YAML. */
export interface SimulatedText {
  mark: string;
  remote: string | null;
  local: Readonly<Record<string, string>>;
  ownTelemetry: string | null;
}

/** How a configuration makes a Collector behave: the first of its parts that is not "good" decides. */
export function behaviourOf({ remote, local }: Pick<SimulatedText, "remote" | "local">): string {
  const parts = [remote ?? "good", ...Object.values(local)];
  const words = parts.map((part) => part.replace(/^is: /, "").split(" ")[0] ?? "");
  return words.find((word) => word !== "good") ?? "good";
}

/** What a Collector's link gets of the supervisor that listens. */
export interface LinkListener {
  linked(linkId: number, mark: string): void;
  unlinked(linkId: number): void;
  reported(linkId: number, report: { health?: ComponentHealth; effectiveConfig?: EffectiveConfig }): void;
}

interface OpenLink {
  listener: LinkListener;
  id: number;
}

/** Milliseconds of a real Collector, roughly (measured with 0.149.0). */
const timing = { read: 2, dial: 5, effective: 7, dies: 8, bindFails: 20, healthy: 15, term: 5 };

/**
 * The host that Collectors run on, and the Collectors: a scripted stand-in for the real one, which cannot be driven
 * through thousands of runs. They live on when the supervisor dies, as the real ones do.
 */
export class SimulatedHost {
  readonly clock: Clock;
  readonly collectors: SimulatedCollector[] = [];
  /** Another process has the port that every configuration but the empty one wants. */
  portTaken = false;
  listener: LinkListener | undefined;
  readonly #readConfig: (path: string) => string | undefined;
  readonly #onRead: (text: SimulatedText) => void;
  readonly #onViolation: (text: string) => void;
  readonly #onHealthy: (text: SimulatedText) => void;
  #linkIds = 0;

  constructor(options: {
    clock: Clock;
    readConfig: (path: string) => string | undefined;
    onRead: (text: SimulatedText) => void;
    onHealthy: (text: SimulatedText) => void;
    onViolation: (text: string) => void;
  }) {
    this.clock = options.clock;
    this.#readConfig = options.readConfig;
    this.#onRead = options.onRead;
    this.#onHealthy = options.onHealthy;
    this.#onViolation = options.onViolation;
  }

  get alive(): SimulatedCollector[] {
    return this.collectors.filter(({ alive }) => alive);
  }

  start(configPath: string): SimulatedCollector {
    if (this.alive.length > 0) this.#onViolation("a second Collector was started beside a living one");
    const collector = new SimulatedCollector(this, 1_000 + this.collectors.length, configPath);
    this.collectors.push(collector);
    return collector;
  }

  /** What the Collector finds where its configuration is. */
  read(configPath: string): SimulatedText | undefined {
    const data = this.#readConfig(configPath);
    if (data === undefined) return undefined;
    const text = JSON.parse(data) as SimulatedText;
    this.#onRead(text);
    return text;
  }

  healthy(text: SimulatedText): void {
    this.#onHealthy(text);
  }

  dial(): OpenLink | undefined {
    if (this.listener === undefined) return undefined;
    this.#linkIds += 1;
    return { listener: this.listener, id: this.#linkIds };
  }
}

/** One Collector process. */
export class SimulatedCollector {
  readonly pid: number;
  /** Starts and reloads. */
  loads = 0;
  alive = true;
  /** Stopped by SIGSTOP, or hung: it does nothing until it is killed. */
  frozen = false;
  text: SimulatedText | undefined;
  health: ComponentHealth | undefined;
  readonly #host: SimulatedHost;
  readonly #configPath: string;
  readonly #watchers = new Set<() => void>();
  #started = false;
  #link: OpenLink | undefined;
  #effectiveConfig: EffectiveConfig | undefined;
  end: { code: number | null; signal: NodeJS.Signals | null } | undefined;

  constructor(host: SimulatedHost, pid: number, configPath: string) {
    this.#host = host;
    this.#configPath = configPath;
    this.pid = pid;
    this.#load();
  }

  get healthy(): boolean {
    return this.alive && this.health?.healthy === true;
  }

  get linked(): boolean {
    return this.#link !== undefined && this.#link.listener === this.#host.listener;
  }

  onEnd(watcher: () => void): void {
    this.#watchers.add(watcher);
  }

  signal(signal: NodeJS.Signals): boolean {
    if (!this.alive) return false;
    if (signal === "SIGKILL") this.#exit({ code: null, signal });
    else if (this.frozen) return true;
    else if (signal === "SIGTERM") {
      if (this.#behaviour() !== "hangs") this.#at(timing.term, () => this.#exit({ code: 0, signal: null }));
    } else if (signal === "SIGHUP") {
      // Before it has started, the signal kills it.
      if (!this.#started) this.#exit({ code: null, signal });
      else {
        this.#say({ healthy: false, status: "StatusStopping" });
        this.#unlink();
        this.#load();
      }
    }
    return true;
  }

  /** The supervisor's side is gone; the extension dials again with its own back-off. */
  connectionLost(): void {
    if (this.#link === undefined) return;
    this.#link = undefined;
    this.#redial(500);
  }

  #load(): void {
    this.loads += 1;
    this.#started = false;
    this.text = undefined;
    this.health = undefined;
    this.#effectiveConfig = undefined;
    this.#at(timing.read, () => {
      this.text = this.#host.read(this.#configPath);
      if (this.text === undefined) this.#fail();
      else this.#run(this.#behaviour());
    });
  }

  #behaviour(): string {
    return this.text === undefined ? "good" : behaviourOf(this.text);
  }

  #run(behaviour: string): void {
    const [kind, number] = behaviour.split(":");
    const delay = Number(number);
    const isEmpty = this.text?.remote === null && Object.keys(this.text.local).length === 0;
    if (kind === "dies-at-start") {
      this.#at(timing.dies, () => this.#fail());
      return;
    }
    if (kind !== "mute") this.#at(timing.dial, () => this.#dial());
    if (kind === "mute" || kind === "hangs") return;
    if (kind === "slow-dies") {
      this.#at(delay, () => this.#fail());
      return;
    }
    if (kind === "port-in-use" || (this.#host.portTaken && !isEmpty)) {
      this.#at(timing.bindFails, () => this.#fail());
      return;
    }
    this.#at(kind === "slow" ? delay : timing.healthy, () => {
      this.#started = true;
      this.#say({ healthy: true, status: "StatusOK" });
    });
    if (kind === "dies-after") this.#at(delay, () => this.#fail());
    if (kind === "segfaults-after") this.#at(delay, () => this.#exit({ code: null, signal: "SIGSEGV" }));
    if (kind === "breaks-after") {
      this.#at(delay, () =>
        this.#say({ healthy: false, status: "StatusPermanentError" }, "receivers:filelog"),
      );
    }
    if (kind === "recovers") {
      this.#at(1_000, () =>
        this.#say({ healthy: false, status: "StatusRecoverableError" }, "exporters:otlp"),
      );
      this.#at(3_000, () => this.#say({ healthy: true, status: "StatusOK" }));
    }
  }

  #dial(): void {
    const link = this.#host.dial();
    if (link === undefined) {
      this.#redial(500);
      return;
    }
    this.#link = link;
    link.listener.linked(link.id, this.text?.mark ?? "");
    this.health ??= report({ healthy: false, status: "StatusStarting" });
    this.#send({ health: this.health });
    // Sent before the pipelines start, also by a start that then dies.
    this.#at(timing.effective - timing.dial, () => {
      const body = new TextEncoder().encode(JSON.stringify(this.text));
      this.#effectiveConfig = create(EffectiveConfigSchema, { configMap: { configMap: { "": { body } } } });
      this.#send({ effectiveConfig: this.#effectiveConfig, ...(this.health && { health: this.health }) });
    });
  }

  #redial(delayMs: number): void {
    this.#at(delayMs, () => {
      if (this.#link !== undefined) return;
      if (this.#host.listener === undefined) this.#redial(Math.min(60_000, Math.round(delayMs * 1.5)));
      else this.#dial();
    });
  }

  #say(health: { healthy: boolean; status: string }, component?: string): void {
    this.health =
      component === undefined
        ? report(health)
        : create(ComponentHealthSchema, { ...health, componentHealthMap: { [component]: report(health) } });
    if (health.healthy && this.text !== undefined) this.#host.healthy(this.text);
    this.#send({ health: this.health });
  }

  #send(what: { health?: ComponentHealth; effectiveConfig?: EffectiveConfig }): void {
    this.#link?.listener.reported(this.#link.id, what);
  }

  #unlink(): void {
    const link = this.#link;
    this.#link = undefined;
    link?.listener.unlinked(link.id);
  }

  #fail(): void {
    this.#exit({ code: 1, signal: null });
  }

  #exit(end: { code: number | null; signal: NodeJS.Signals | null }): void {
    if (!this.alive) return;
    this.alive = false;
    this.end = end;
    const link = this.#link;
    this.#link = undefined;
    if (link !== undefined) this.#host.clock.setTimer(1, () => link.listener.unlinked(link.id));
    for (const watcher of this.#watchers) watcher();
  }

  /** Runs unless the process ended, was frozen or has loaded another configuration by then. */
  #at(delayMs: number, action: () => void): void {
    const load = this.loads;
    this.#host.clock.setTimer(delayMs, () => {
      if (this.alive && !this.frozen && this.loads === load) action();
    });
  }
}

function report(health: { healthy: boolean; status: string }): ComponentHealth {
  return create(ComponentHealthSchema, health);
}

/** How long after its end an adopted process is found to be gone. */
const adoptedPollMs = 500;

/** A Collector as one life of the supervisor holds it: `process.ts` without a kernel. */
export function holdCollector(
  collector: SimulatedCollector,
  { life, adopted }: { life: Life; adopted: boolean },
): CollectorProcess {
  const startedAt = life.clock.monotonic();
  const { promise: exited, resolve } = Promise.withResolvers<Awaited<CollectorProcess["exited"]>>();
  let requested = false;
  let released = false;
  const notice = () => {
    if (life.over || released) return;
    const { code, signal } = collector.end ?? { code: null, signal: null };
    resolve({
      pid: collector.pid,
      code: adopted ? null : code,
      signal: adopted ? null : signal,
      known: !adopted,
      requested,
      uptimeMs: life.clock.monotonic() - startedAt,
      oomKilled: false,
    });
  };
  const noticeSoon = () => life.clock.setTimer(adopted && !requested ? adoptedPollMs : 1, notice);
  if (collector.alive) collector.onEnd(noticeSoon);
  else noticeSoon();
  return {
    pid: collector.pid,
    identity: { pid: collector.pid, startTime: `start ${collector.pid}` },
    adopted,
    exited,
    isWrapper: () => false,
    signal: (signal) => !life.over && collector.signal(signal),
    async stop({ graceMs }) {
      if (!collector.alive) return exited;
      requested = true;
      await life.perform(() => collector.signal("SIGTERM"), 0);
      const kill = life.clock.setTimer(graceMs, () => collector.signal("SIGKILL"));
      const exit = await exited;
      kill.cancel();
      return exit;
    },
    kill() {
      if (!life.over) collector.signal("SIGKILL");
    },
    checkAlive() {
      if (!collector.alive && adopted) notice();
      return collector.alive;
    },
    release() {
      released = true;
    },
  };
}
