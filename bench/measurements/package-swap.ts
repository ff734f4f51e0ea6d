import { Host } from "../../test/interop/host.ts";
import { secondCollectorBinary } from "../../test/support/collector.ts";
import type { Measurement } from "../measurement.ts";
import { probeDuring } from "../probe.ts";

const version = "0.149.1";
const windowMs = 60_000;

/** From the offer of another Collector binary, about 40 MB, to its proof; the download from loopback included. */
export const packageSwap: Measurement = {
  name: "package-swap",
  subjects: new Set(["ours"]),
  rows: [
    { id: "package-swap.installed", title: "40 MB Collector offered → Installed", unit: "ms" },
    { id: "package-swap.gap", title: "40 MB Collector offered: longest gap", unit: "ms" },
  ],
  async run(subject) {
    await using host = await Host.running({ ...subject, capabilities: { accepts_packages: true } });
    const { server } = host;
    const from = server.mark();
    let installedMs = Number.POSITIVE_INFINITY;
    const { longestGapMs } = await probeDuring(host.otlpPort, async () => {
      const packages = { "": { version, file: secondCollectorBinary() } };
      const { at } = await server.send({ cmd: "packages", packages });
      const installed = await server.message(
        "the end of the installation",
        ({ packageStatuses }) => /^Install(ed|Failed)$/.test(packageStatuses?.packages[""]?.status ?? ""),
        { from, timeoutMs: windowMs },
      );
      const { status, error } = installed.packageStatuses?.packages[""] ?? {};
      if (status !== "Installed") throw new Error(`the package was not installed: ${error}`);
      installedMs = installed.at - at;
      await server.state(
        "the new version",
        ({ identifying, health }) => identifying?.["service.version"] === version && health?.healthy === true,
        { from, timeoutMs: windowMs },
      );
    });
    return { "package-swap.installed": [installedMs], "package-swap.gap": [longestGapMs] };
  },
};
