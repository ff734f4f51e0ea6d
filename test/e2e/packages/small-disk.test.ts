import { statSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { secondCollectorBinary } from "../../support/collector.ts";
import { eventually } from "../../support/eventually.ts";
import { expectRuns, mountSmallState, named } from "../../support/fault-host.ts";
import { PackageServer } from "../../support/package-server.ts";
import {
  expectUntouched,
  offerProgram,
  packageTold,
  pushPackages,
  secondProgram,
  statusOf,
  stepsOf,
  takingPackages,
} from "../../support/packages.ts";
import { supervisorHost } from "../../support/supervisor-host.ts";

const mebibyte = 1024 * 1024;
const binaryMebibytes = Math.ceil(statSync(secondCollectorBinary()).size / mebibyte);
/** What a download leaves free. */
const reserve = 64;

describe("a disk that has no room", () => {
  const setUp = async (mebibytes: number) => {
    const host = await supervisorHost(takingPackages({ agent: { probation: "100ms" } }));
    const disk = mountSmallState(host, `${mebibytes}m`);
    const files = await PackageServer.start();
    await host.startHealthy();
    await host.apply(named(host, "before"));
    await host.server.until("healthy", () => host.server.state?.health?.healthy);
    const sender = host.send();
    await sender.accepted();
    return { host, disk, files, sender, pid: await host.onlyCollector() };
  };

  it("for the download fails the package with that reason; the next supervisor tries again", async () => {
    const rig = await setUp(reserve + binaryMebibytes - 10);
    const { host, files } = rig;
    await offerProgram(rig, secondProgram());
    expect(await packageTold(host.server, "", /^Install(ed|Failed)/)).toMatch(/not enough space in /);
    // Not a byte more than the head of it was fetched in vain, and the supervisor's own files have room.
    expect(statusOf(host.server, "")?.agentHasVersion).toBe("");
    expect(files.requests).toHaveLength(1);
    await expectUntouched(rig);
    await host.restart();
    await eventually("asked again", () => files.requests.length === 2);
    await expectRuns(host, "before");
    expect(host.collectorPid()).toBe(rig.pid);
  });

  it("from the middle of the download on fails it, and is tried again when there is room", async () => {
    const rig = await setUp(reserve + 3 * binaryMebibytes);
    const { host, disk, files } = rig;
    files.stopAt = 20 * mebibyte;
    const offer = await offerProgram(rig, secondProgram());
    await host.server.until(
      "on its way",
      () => (statusOf(host.server, "")?.downloadDetails?.downloadPercent ?? 0) > 40,
    );
    disk.fill();
    files.stopAt = undefined;
    files.goOn();
    expect(await packageTold(host.server, "", /^Install(ed|Failed)/)).toMatch(
      /the disk is full: no space to write .*\.part/,
    );
    await expectUntouched(rig);
    disk.empty();
    const from = host.server.mark;
    pushPackages(host, offer);
    expect(await packageTold(host.server, "", /^Install(ed|Failed)/, from)).toBe("Installed 2.0");
    await expectRuns(host, "before");
  });

  it("to unpack it fails the package, and is tried again when there is room", async () => {
    const rig = await setUp(reserve + 3 * binaryMebibytes);
    const { host, disk, files } = rig;
    files.stopAt = statSync(secondCollectorBinary()).size - 1;
    const offer = await offerProgram(rig, secondProgram());
    await host.server.until(
      "nearly here",
      () => (statusOf(host.server, "")?.downloadDetails?.downloadPercent ?? 0) > 99.9,
    );
    disk.fill();
    files.stopAt = undefined;
    files.goOn();
    expect(await packageTold(host.server, "", /^Install(ed|Failed)/)).toMatch(/ENOSPC: no space left/);
    await expectUntouched(rig);
    disk.empty();
    const from = host.server.mark;
    pushPackages(host, offer);
    expect(await packageTold(host.server, "", /^Install(ed|Failed)/, from)).toBe("Installed 2.0");
    await expectRuns(host, "before");
    expect(stepsOf(host.server, "", from).at(-1)).toBe("Installed");
  });
});
