import { Host } from "../../test/interop/host.ts";
import type { Measurement } from "../measurement.ts";

const changes = [1, 2, 3];

/** From a configuration leaving the server to the verdict and the proof coming back. */
export const configPush: Measurement = {
  name: "config-push",
  subjects: new Set(["ours", "reference", "reference-hup"]),
  rows: [
    { id: "config-push.applied", title: "config push → APPLIED", unit: "ms" },
    { id: "config-push.healthy", title: "config push → healthy and effective", unit: "ms" },
  ],
  async run(subject) {
    await using host = await Host.running(subject);
    const applied: number[] = [];
    const healthy: number[] = [];
    for (const variant of changes) {
      const from = host.server.mark();
      const { at, hash } = await host.push(variant);
      healthy.push((await host.runsHealthy(variant, from)).at - at);
      applied.push((await host.server.status("APPLIED", hash, { from })).at - at);
    }
    return { "config-push.applied": applied, "config-push.healthy": healthy };
  },
};
