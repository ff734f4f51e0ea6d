import { Host } from "../../test/interop/host.ts";
import type { Measurement } from "../measurement.ts";
import { probeDuring } from "../probe.ts";

const windowMs = 15_000;

/** The supervisor dies without a word and is started again at once, as a service manager does. */
export const supervisorKill: Measurement = {
  name: "supervisor-kill",
  subjects: new Set(["ours", "reference"]),
  rows: [
    { id: "supervisor-kill.healthy", title: "supervisor kill -9, started → healthy", unit: "ms" },
    { id: "supervisor-kill.gap", title: "supervisor kill -9: longest gap", unit: "ms" },
    { id: "supervisor-kill.collectors", title: "supervisor kill -9: Collectors running then", unit: "" },
  ],
  async run(subject) {
    await using host = await Host.running(subject);
    let healthyMs = Number.POSITIVE_INFINITY;
    const { longestGapMs } = await probeDuring(host.otlpPort, async () => {
      await host.stop("SIGKILL");
      const from = host.server.mark();
      const before = host.start();
      await host.server
        .state("healthy again", ({ health }) => health?.healthy === true, { from, timeoutMs: windowMs })
        .then(
          ({ at }) => {
            healthyMs = at - before;
          },
          () => undefined,
        );
    });
    return {
      "supervisor-kill.healthy": [healthyMs],
      "supervisor-kill.gap": [longestGapMs],
      "supervisor-kill.collectors": [host.collectorPids().length],
    };
  },
};
