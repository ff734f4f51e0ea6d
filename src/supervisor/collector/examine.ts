import type { Clock } from "../../foundation/clock.ts";
import type { Logger } from "../../foundation/logger.ts";
import { type CollectorBinary, identifyBinary } from "./binary.ts";
import type { Environment } from "./process-environment.ts";
import type { RunAs } from "./run-as.ts";

/**
 * The user of `agent.run_as`.
 * @throws when it cannot work; the message says what is missing.
 */
export async function findCollectorUser(name: string | undefined): Promise<RunAs | undefined> {
  if (name === undefined) return undefined;
  const { checkRunAs } = await import("./run-as.ts");
  const check = await checkRunAs(name);
  if (!check.ok) throw new Error(check.message);
  return check.runAs;
}

interface ExamineOptions {
  executable: string;
  env: Environment;
  timeoutMs: number;
  cachePath: string;
  runAs: RunAs | undefined;
  /** Whether this host has ever run a configuration. */
  everRan: boolean;
  clock: Clock;
  logger: Logger;
}

/**
 * What `agent.executable` is. One that is only slow, or that has run before, is run whatever it says of
 * itself.
 * @throws when it is no Collector that can be managed, and never was.
 */
export async function examineCollector({
  everRan,
  logger,
  ...options
}: ExamineOptions): Promise<CollectorBinary> {
  const binary = await identifyBinary(options);
  if (binary.identified) return binary;
  const { problem, reason } = binary;
  if (problem !== "unresponsive" && !everRan) throw new Error(reason);
  const fields = { event: "collector_not_identified", problem, reason };
  logger.error(fields, "the Collector binary cannot be identified");
  return binary;
}
