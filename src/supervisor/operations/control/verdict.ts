import { firstLine } from "../../../foundation/first-line.ts";
import type { StatusView } from "./status-view.ts";

type Judged = Pick<StatusView, "collector" | "configuration" | "remote_config" | "change" | "storage">;

/**
 * Why a host is not as it should be, worst first; empty where it is. To be without a server is no fault: a
 * Collector that is well and runs what is desired does its work.
 */
export function findFaults({ collector, configuration, remote_config, change, storage }: Judged): string[] {
  const { healthy, state, status, last_error } = collector;
  const faults: string[] = [];
  if (!healthy) faults.push(describeIllness(state, status, last_error));
  const standIn = standIns[configuration.role];
  if (standIn !== undefined) faults.push(standIn);
  else if (configuration.role === "none" && change === null)
    faults.push("no configuration has come to run yet");
  if (remote_config.status === "FAILED") {
    faults.push(
      `the server's last configuration failed: ${firstLine(remote_config.error ?? "no reason is known")}`,
    );
  }
  if (storage.unwritten.length > 0) {
    faults.push(`the disk refuses what is to be written down: ${storage.unwritten.join(", ")}`);
  }
  return faults;
}

const standIns: Readonly<Record<string, string>> = {
  "last-known-good": "an older configuration runs, the last one known to be good",
  fallback: "one of startup_fallback_configs runs",
  bootstrap: "an empty configuration runs: nothing is collected",
};

function describeIllness(state: string, status: string, lastError: string | null): string {
  if (state === "starting" || state === "stopping") return `the Collector is ${state}`;
  const what = state === "running" ? `the Collector is unhealthy (${status})` : "the Collector does not run";
  return lastError === null ? what : `${what}: ${firstLine(lastError)}`;
}
