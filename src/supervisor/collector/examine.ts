import type { Logger } from "../../foundation/logger.ts";
import type { CollectorBinary } from "./binary.ts";
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

/**
 * Looks at what was found where the Collector should be. One that is only slow, or a host that has run a
 * configuration before, goes on whatever the binary says of itself.
 * @throws when it is no Collector that can be managed, and never was.
 */
export function examineCollector(
  binary: CollectorBinary,
  { everRan, logger }: { everRan: boolean; logger: Logger },
): void {
  if (binary.identified) return;
  const { problem, reason } = binary;
  if (problem !== "unresponsive" && !everRan) throw new Error(reason);
  const fields = { event: "collector_not_identified", problem, reason };
  logger.error(fields, "the Collector binary cannot be identified");
}
