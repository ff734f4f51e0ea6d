import type { Clock } from "../../foundation/clock.ts";
import type { RunningRecord } from "./collector.ts";
import type { MemoryLimit } from "./memory-limit.ts";
import { adoptCollector, type CollectorProcess } from "./process.ts";
import { findStrayCollector } from "./stray-collector.ts";

/** A Collector that an earlier supervisor left running. */
export interface LeftCollector {
  process: CollectorProcess;
  /** Undefined when nothing was written down about it. */
  record: RunningRecord | undefined;
}

/** Finds the Collector that an earlier supervisor left running, by its record or else by its command line. */
export async function findLeftCollector(
  record: RunningRecord | undefined,
  configPath: string,
  clock: Clock,
  memory: MemoryLimit | undefined,
): Promise<LeftCollector | undefined> {
  const recorded = record && adoptCollector(record.process, clock, memory);
  if (recorded !== undefined) return { process: recorded, record };
  const identity = await findStrayCollector(configPath);
  const stray = identity && adoptCollector(identity, clock, memory);
  return stray && { process: stray, record: undefined };
}
