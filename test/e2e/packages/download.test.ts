import { statSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { secondCollectorBinary } from "../../support/collector.ts";
import { eventually } from "../../support/eventually.ts";
import { expectRuns, named } from "../../support/fault-host.ts";
import {
  offerProgram,
  packageHost,
  packageTold,
  packageVerdict,
  secondProgram,
  statusOf,
  stepsOf,
} from "../../support/packages.ts";
import type { SupervisorHost } from "../../support/supervisor-host.ts";

const { size } = statSync(secondCollectorBinary());
/** What one write of a download is at most. */
const chunk = 64 * 1024;

/** Bytes of the one download of this host that are on its disk. */
async function downloadedBytes(host: SupervisorHost): Promise<number> {
  const folder = join(host.stateDir, "packages", "downloads");
  const [part] = (await readdir(folder)).filter((name) => name.endsWith(".part"));
  return part === undefined ? 0 : statSync(join(folder, part)).size;
}

describe("the download of a package", () => {
  it("goes on where it was after each kill -9 of the supervisor, and fetches nothing twice", async () => {
    const rig = await packageHost({ leftBehind: "kill" });
    const { host, files, sender, pid } = rig;
    for (const stopAt of [1, 70_001, 9_999_999, 10_000_000, size - 1]) {
      files.stopAt = stopAt;
      if (files.requests.length === 0) await offerProgram(rig, secondProgram());
      await eventually(`${stopAt} bytes are here`, async () => (await downloadedBytes(host)) === stopAt);
      await host.restart("SIGKILL");
    }
    files.stopAt = undefined;
    const from = host.server.mark;
    expect(await packageTold(host.server, "", /^Install(ed|Failed)/, from)).toBe("Installed 2.0");
    expect(files.sentBytes).toBeLessThanOrEqual(size + chunk);
    expect(files.requests.slice(1).map(({ headers }) => headers.range)).toEqual([
      "bytes=1-",
      "bytes=70001-",
      "bytes=9999999-",
      "bytes=10000000-",
      `bytes=${size - 1}-`,
    ]);
    await expectRuns(host, "before");
    expect(host.collectorPid()).not.toBe(pid);
    await host.sink.waitFor((await sender.stop()).accepted);
  });

  it("says how far it is, and leaves the road to configurations", async () => {
    const rig = await packageHost();
    const { host, files, sender } = rig;
    files.stopAt = 20_000_000;
    await offerProgram(rig, secondProgram());
    await host.server.until(
      "it says so",
      () => (statusOf(host.server, "")?.downloadDetails?.downloadPercent ?? 0) > 40,
    );
    const details = statusOf(host.server, "")?.downloadDetails;
    expect(details?.downloadPercent).toBeCloseTo((100 * 20_000_000) / size, 5);
    await host.apply(named(host, "meanwhile"));
    await expectRuns(host, "meanwhile");
    files.stopAt = undefined;
    files.goOn();
    expect(await packageVerdict(host.server, "")).toBe("Installed 2.0");
    // AP14
    expect(statusOf(host.server, "")?.downloadDetails).toBeUndefined();
    await expectRuns(host, "meanwhile");
    await host.sink.waitFor((await sender.stop()).accepted);
  });

  it("waits for a server that is away, or fails, for a while", async () => {
    const rig = await packageHost({ settings: { packages: { stall_timeout: "500ms" } } });
    const { host, files } = rig;
    let failures = 0;
    files.intercept = (_path, response) => {
      failures += 1;
      if (failures === 1) response.destroy();
      else if (failures === 2) response.writeHead(503, { "retry-after": "1" }).end();
      return failures <= 2;
    };
    files.stopAt = 5_000_000;
    const from = host.server.mark;
    await offerProgram(rig, secondProgram());
    await eventually("a part is here", async () => (await downloadedBytes(host)) === 5_000_000, 20_000);
    // It stalls, and the supervisor breaks it off by itself.
    await eventually("it was asked for again", () => files.requests.length === 4);
    files.stopAt = undefined;
    files.goOn();
    expect(await packageVerdict(host.server, "", from)).toBe("Installed 2.0");
    expect(files.requests[3]?.headers.range).toBe("bytes=5000000-");
    expect(stepsOf(host.server, "", from)).toEqual([
      "InstallPending",
      "Downloading",
      "Installing",
      "Installed",
    ]);
    expect(files.sentBytes).toBeLessThanOrEqual(size + chunk);
    await expectRuns(host, "before");
  });

  it("P12 goes on while the connection to the OpAMP server breaks", async () => {
    const rig = await packageHost();
    const { host, files } = rig;
    files.stopAt = 2_000_000;
    await offerProgram(rig, secondProgram());
    await eventually("a part is here", async () => (await downloadedBytes(host)) === 2_000_000);
    await host.server[Symbol.asyncDispose]();
    await host.startServer();
    await host.server.reported("packageStatuses");
    files.stopAt = undefined;
    files.goOn();
    expect(await packageVerdict(host.server, "")).toBe("Installed 2.0");
    // It was not even asked for again.
    expect(files.requests).toHaveLength(1);
  });

  it("P15 that hangs, with a further offer behind it, keeps nobody from being heard", async () => {
    const rig = await packageHost();
    const { host, files, pid } = rig;
    files.stopAt = 1_000_000;
    await offerProgram(rig, secondProgram());
    await eventually("a part is here", async () => (await downloadedBytes(host)) === 1_000_000);
    for (const version of ["3.0", "4.0"]) await offerProgram(rig, { ...secondProgram(), version });
    for (const name of ["first", "second"]) await host.apply(named(host, name));
    await expectRuns(host, "second");
    host.server.push({ command: {} });
    await eventually("another Collector", () => host.collectorPid() !== pid);
    files.stopAt = undefined;
    files.goOn();
    expect(await packageVerdict(host.server, "")).toBe("Installed 4.0");
    await expectRuns(host, "second");
  });

  it("of an offer that nobody wants any more ends", async () => {
    const rig = await packageHost();
    const { host, files } = rig;
    files.stopAt = 1_000_000;
    await offerProgram(rig, secondProgram());
    await eventually("a part is here", async () => (await downloadedBytes(host)) === 1_000_000);
    files.stopAt = undefined;
    const from = host.server.mark;
    await offerProgram(rig, { ...secondProgram(), version: "3.0" });
    expect(await packageVerdict(host.server, "", from)).toBe("Installed 3.0");
    // The content is the same, and what was there of it was not fetched again.
    expect(files.requests[1]?.headers.range).toBe("bytes=1000000-");
    await expectRuns(host, "before");
  });
});
