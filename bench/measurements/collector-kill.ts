import { setImmediate as nextTurn } from "node:timers/promises";
import { Host } from "../../test/interop/host.ts";
import { monotonicMs } from "../../test/interop/line-program.ts";
import { firstOtlpAnswer } from "../../test/interop/otlp.ts";
import { runs } from "../../test/interop/proc.ts";
import { collectorBinary } from "../../test/support/collector.ts";
import type { Measurement } from "../measurement.ts";

/** How long telemetry is refused after the Collector's first death. */
export const collectorKill: Measurement = {
  name: "collector-kill",
  subjects: new Set(["ours", "reference"]),
  rows: [{ id: "collector-kill.answered", title: "Collector kill -9 → data answered again", unit: "ms" }],
  async run(subject) {
    await using host = await Host.running(subject);
    await firstOtlpAnswer(host.otlpPort, 5000);
    const before = monotonicMs();
    const [pid] = host.collectorPids();
    if (pid === undefined) throw new Error("no Collector is running");
    process.kill(pid, "SIGKILL");
    // A process may still answer in the moment before the signal takes it.
    while (runs(pid, collectorBinary())) await nextTurn();
    return { "collector-kill.answered": [(await firstOtlpAnswer(host.otlpPort, 30_000)) - before] };
  },
};
