import { randomBytes } from "node:crypto";
import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Host } from "../../test/interop/host.ts";
import type { Measurement } from "../measurement.ts";
import { forgetPeaks, peakRss, rssOf } from "../processes.ts";

const megabytes = 300;
const settleMs = 5000;
const windowMs = 120_000;
const name = "blob";

/** What a package that is much larger than the supervisor costs it in memory: downloaded, verified, put in place. */
export const packageDownload: Measurement = {
  name: "package-download",
  subjects: new Set(["ours"]),
  rows: [
    {
      id: "package-download.rss",
      title: `${megabytes} MB package: RSS at its peak, over before`,
      unit: "MiB",
    },
  ],
  async run(subject) {
    const directory = await mkdtemp(join(tmpdir(), "opamp-bench-"));
    try {
      const file = join(directory, name);
      await writeBlob(file);
      await using host = await Host.running({ ...subject, capabilities: { accepts_packages: true } });
      await delay(settleMs);
      // Known before the offer: what is started to examine a package is not the supervisor.
      const pids = host.supervisorPids();
      const from = host.server.mark();
      forgetPeaks(pids);
      const before = rssOf(pids);
      await host.server.send({ cmd: "packages", packages: { [name]: { addon: true, version: "1", file } } });
      const { packageStatuses } = await host.server.message(
        "the end of the installation",
        (message) => /^Install(ed|Failed)$/.test(message.packageStatuses?.packages[name]?.status ?? ""),
        { from, timeoutMs: windowMs },
      );
      const { status, error } = packageStatuses?.packages[name] ?? {};
      if (status !== "Installed") throw new Error(`the package was not installed: ${error}`);
      return { "package-download.rss": [peakRss(pids) - before] };
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  },
};

/** Random, so that nothing on the way can make it smaller. */
async function writeBlob(path: string): Promise<void> {
  const piece = randomBytes(1_000_000);
  await using file = await open(path, "wx");
  for (let written = 0; written < megabytes; written += 1) await file.write(piece);
}
