import { Host } from "../../test/interop/host.ts";
import type { Measurement } from "../measurement.ts";
import { probeDuring } from "../probe.ts";

const changes = [1, 2, 3];

/** What a sender of telemetry notices of a configuration change. */
export const configGap: Measurement = {
  name: "config-gap",
  subjects: new Set(["ours", "reference", "reference-hup"]),
  rows: [
    { id: "config-gap.refused", title: "config change: OTLP sends refused (1 per 5 ms)", unit: "" },
    { id: "config-gap.longest", title: "config change: longest gap between answers", unit: "ms" },
  ],
  async run(subject) {
    await using host = await Host.running(subject);
    const refused: number[] = [];
    const longest: number[] = [];
    for (const variant of changes) {
      const from = host.server.mark();
      let hash = "";
      const result = await probeDuring(host.otlpPort, async () => {
        ({ hash } = await host.push(variant));
        await host.runsHealthy(variant, from);
      });
      refused.push(result.refused);
      longest.push(result.longestGapMs);
      await host.server.status("APPLIED", hash, { from });
    }
    return { "config-gap.refused": refused, "config-gap.longest": longest };
  },
};
