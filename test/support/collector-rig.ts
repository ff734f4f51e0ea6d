import { create } from "@bufbuild/protobuf";
import { type Logger, silentLogger } from "../../src/foundation/logger.ts";
import {
  type ComponentHealth,
  ComponentHealthSchema,
  type EffectiveConfig,
  EffectiveConfigSchema,
} from "../../src/opamp/messages.ts";
import { Collector, type RunningRecord } from "../../src/supervisor/collector/collector.ts";
import type { CollectorEvent } from "../../src/supervisor/collector/collector-state.ts";
import type { Launch } from "../../src/supervisor/collector/launch.ts";
import { ManualClock } from "./manual-clock.ts";
import { ScriptedProcess } from "./scripted-process.ts";

export const launchOf = (mark: string, args: string[] = []): Launch => ({
  mark,
  role: "desired",
  executable: "/otelcol",
  fileIdentity: "",
  args,
  env: {},
});

export function healthOf(
  healthy: boolean,
  status = healthy ? "StatusOK" : "StatusStarting",
): ComponentHealth {
  return create(ComponentHealthSchema, { healthy, status });
}

export function configOf(text: string): EffectiveConfig {
  const body = new TextEncoder().encode(text);
  return create(EffectiveConfigSchema, { configMap: { configMap: { "": { body } } } });
}

/** A Collector over scripted processes: what it spawned, told and wrote down. */
export class CollectorRig {
  readonly clock = new ManualClock();
  readonly processes: ScriptedProcess[] = [];
  readonly records: (RunningRecord | undefined)[] = [];
  readonly events: CollectorEvent[] = [];
  readonly collector: Collector;
  /** Thrown by the next spawns. */
  spawnError: Error | undefined;
  diskFull = false;
  #links = 0;

  constructor(logger: Logger = silentLogger) {
    this.collector = new Collector({
      clock: this.clock,
      logger,
      log: { position: async () => 0, excerptSince: async () => "Error: last words" },
      record: async (running) => {
        if (this.diskFull) throw Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
        this.records.push(running);
      },
      spawn: async () => {
        if (this.spawnError !== undefined) throw this.spawnError;
        const process = new ScriptedProcess(100 + this.processes.length);
        this.processes.push(process);
        return process;
      },
    });
    this.collector.observe((event) => this.events.push(event));
  }

  get process(): ScriptedProcess {
    const process = this.processes.at(-1);
    if (process === undefined) throw new Error("nothing was started");
    return process;
  }

  /** Names of the states it went through. */
  get states(): string[] {
    return this.events.flatMap((event) => (event.t === "state" ? [event.state.t] : []));
  }

  /** Dials in with `mark` and returns the link's id. */
  link(mark: string): number {
    this.#links += 1;
    this.collector.linked(this.#links, mark);
    return this.#links;
  }

  /** Dials in and says that it is healthy. */
  healthy(mark: string): number {
    const id = this.link(mark);
    this.collector.reported(id, { effectiveConfig: configOf(mark), health: healthOf(true) });
    return id;
  }

  async running(mark = "a"): Promise<void> {
    await this.collector.run(launchOf(mark), true);
    this.healthy(mark);
    await settled();
  }
}

/** Lets every promise that can settle do so. */
export function settled(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
