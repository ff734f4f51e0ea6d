import { create } from "@bufbuild/protobuf";
import type { Clock } from "../../src/foundation/clock.ts";
import {
  type ComponentHealth,
  ComponentHealthSchema,
  type EffectiveConfig,
  EffectiveConfigSchema,
} from "../../src/opamp/messages.ts";
import { behaviourWith, programAt, type Surroundings } from "./simulated-programs.ts";
import type { SimulatedText } from "./simulated-text.ts";

/** What a Collector's link gets of the supervisor that listens. */
export interface LinkListener {
  linked(linkId: number, mark: string): void;
  unlinked(linkId: number): void;
  reported(linkId: number, report: LinkReport): void;
}

interface LinkReport {
  health?: ComponentHealth;
  effectiveConfig?: EffectiveConfig;
}

interface OpenLink {
  listener: LinkListener;
  id: number;
}

/** Milliseconds of a real Collector, roughly (measured with 0.149.0). */
const timing = { read: 2, dial: 5, effective: 7, dies: 8, bindFails: 20, healthy: 15, term: 5 };

interface HostOptions {
  clock: Clock;
  readConfig: (path: string) => string | undefined;
  /** The package set in use. */
  packages: () => string | null;
  onRead: (collector: SimulatedCollector, text: SimulatedText) => void;
  onHealthy: (text: SimulatedText) => void;
  onViolation: (text: string) => void;
}

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
  readonly #options: HostOptions;
  /** When the programs that go bad in time have gone bad. */
  readonly #souredAt = new Map<string, number>();
  #linkIds = 0;

  constructor(options: HostOptions) {
    this.clock = options.clock;
    this.#options = options;
  }

  get alive(): SimulatedCollector[] {
    return this.collectors.filter(({ alive }) => alive);
  }

  start(configPath: string, executable: string): SimulatedCollector {
    if (this.alive.length > 0)
      this.#options.onViolation("a second Collector was started beside a living one");
    const pid = 1_000 + this.collectors.length;
    const collector = new SimulatedCollector(this, { pid, configPath, executable });
    this.collectors.push(collector);
    return collector;
  }

  /** What the Collector finds where its configuration is. */
  read(collector: SimulatedCollector): SimulatedText | undefined {
    const data = this.#options.readConfig(collector.configPath);
    if (data === undefined) return undefined;
    const text = JSON.parse(data) as SimulatedText;
    this.#options.onRead(collector, text);
    return text;
  }

  /** The package set in use. */
  get packages(): string | null {
    return this.#options.packages();
  }

  healthy(text: SimulatedText): void {
    this.#options.onHealthy(text);
  }

  /** Milliseconds until a program that goes bad in time does so; it begins when that first runs. */
  soursIn(executable: string, afterMs: number): number {
    const now = this.clock.monotonic();
    const at = this.#souredAt.get(executable) ?? now + afterMs;
    this.#souredAt.set(executable, at);
    return Math.max(0, at - now);
  }

  hasSoured(executable: string): boolean {
    return (this.#souredAt.get(executable) ?? Number.POSITIVE_INFINITY) <= this.clock.monotonic();
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
  /** What it was started with and has read since. */
  readonly executable: string;
  readonly configPath: string;
  packages: string | null = null;
  readonly #host: SimulatedHost;
  readonly #watchers = new Set<() => void>();
  #started = false;
  #link: OpenLink | undefined;
  #effectiveConfig: EffectiveConfig | undefined;
  end: { code: number | null; signal: NodeJS.Signals | null } | undefined;

  constructor(
    host: SimulatedHost,
    { pid, configPath, executable }: { pid: number; configPath: string; executable: string },
  ) {
    this.#host = host;
    this.configPath = configPath;
    this.executable = executable;
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
      this.packages = this.#host.packages;
      this.text = this.#host.read(this);
      if (this.text === undefined) this.#fail();
      else this.#run(this.#behaviour());
    });
  }

  #behaviour(): string {
    return this.text === undefined ? "good" : behaviourWith(this.text, this.surroundings);
  }

  get surroundings(): Surroundings {
    return { program: programAt(this.executable), addons: this.packages?.split("+") ?? [] };
  }

  #run(behaviour: string): void {
    const [kind, number] = behaviour.split(":");
    const delay = Number(number);
    const isEmpty = this.text?.remote === null && Object.keys(this.text.local).length === 0;
    if (kind === "dies-at-start" || kind === "refused") {
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
    if (kind === "sours-after")
      this.#at(3_000 + this.#host.soursIn(this.executable, delay), () => this.#fail());
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

  #send(what: LinkReport): void {
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
