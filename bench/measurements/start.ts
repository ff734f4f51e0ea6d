import { Host } from "../../test/interop/host.ts";
import type { Measurement } from "../measurement.ts";

/** From exec of the launcher, on an empty storage directory, to its first message at the server. */
export const start: Measurement = {
  name: "start",
  subjects: new Set(["ours", "reference"]),
  rows: [
    { id: "start.connected", title: "exec → connected at the server", unit: "ms" },
    { id: "start.healthy", title: "exec → Collector reported healthy", unit: "ms" },
  ],
  async run(subject) {
    await using host = await Host.create(subject);
    const before = host.start();
    const first = await host.alive(host.server.message("first message", () => true));
    const healthy = await host.server.state("healthy start", ({ health }) => health?.healthy === true);
    return { "start.connected": [first.at - before], "start.healthy": [healthy.at - before] };
  },
};
