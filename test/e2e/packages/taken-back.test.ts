import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { expectRuns, killCollectors, named } from "../../support/fault-host.ts";
import {
  crashesWhen,
  expectTakenBack,
  offerProgram,
  packageHost,
  packageTold,
  packageVerdict,
  runningProgram,
  scriptedProgram,
  secondProgram,
  statusOf,
  stepsOf,
} from "../../support/packages.ts";
import { remoteConfig } from "../../support/recording-opamp-server.ts";

// Scripts stand in for programs that pass every check and go bad when they run as the Collector.
const bad = [
  { what: "ends at its start", script: "--config) exit 3;;", reason: /ended with this configuration .*3/ },
  {
    what: "hangs at its start",
    script: "--config) exec sleep 1000;;",
    reason: /Config apply timeout exceeded: the Collector did not connect .* 2000 ms/,
  },
];

describe("a package is taken back when its program", () => {
  it.each(bad)("$what", async ({ script, reason }) => {
    const rig = await packageHost({ agent: { config_apply_timeout: "2s" } });
    const { host, pid } = rig;
    const from = host.server.mark;
    await offerProgram(rig, scriptedProgram(host, "bad", script));
    expect(await packageVerdict(host.server, "", from)).toMatch(reason);
    await expectTakenBack(rig);
    expect(host.collectorPid()).not.toBe(pid);
    expect(stepsOf(host.server, "", from)).toEqual([
      "InstallPending",
      "Downloading",
      "Installing",
      "InstallFailed",
    ]);
    expect(statusOf(host.server, "")?.agentHasVersion).toBe("");
    // The configuration is not to blame.
    expect(host.server.state?.remoteConfigStatus?.errorMessage).toBe("");
    expect(host.server.state?.health?.healthy).toBe(true);
  });

  it("ends on its probation: Installed is corrected", async () => {
    const rig = await packageHost({ agent: { probation: "20s" } });
    const { host } = rig;
    const from = host.server.mark;
    await offerProgram(rig, scriptedProgram(host, "bad", crashesWhen("die")));
    expect(await packageVerdict(host.server, "", from)).toBe("Installed bad");
    await rig.sender.accepted();
    writeFileSync(join(host.dir, "die"), "");
    const failed = await packageTold(host.server, "", /^InstallFailed/, from);
    expect(failed).toMatch(/taken back: the Collector ended on probation .*3/);
    await expectTakenBack(rig);
    expect(stepsOf(host.server, "", from)).toEqual([
      "InstallPending",
      "Downloading",
      "Installing",
      "Installed",
      "InstallFailed",
    ]);
    expect(host.server.state?.remoteConfigStatus?.errorMessage).toBe("");
  });

  it("ends at its start while another package runs: that one is gone back to", async () => {
    const rig = await packageHost();
    const { host, sender } = rig;
    await offerProgram(rig, secondProgram());
    expect(await packageVerdict(host.server, "")).toBe("Installed 2.0");
    await expectRuns(host, "before");
    const program = await runningProgram(host);
    const from = host.server.mark;
    await offerProgram(rig, scriptedProgram(host, "3.0", "--config) exit 3;;"));
    expect(await packageTold(host.server, "", /^InstallFailed/, from)).toMatch(/exit code 3/);
    await expectRuns(host, "before");
    expect(await runningProgram(host)).toBe(program);
    // AP12: what it has and what was offered are two things.
    expect(statusOf(host.server, "")?.agentHasVersion).toBe("2.0");
    expect(statusOf(host.server, "")?.serverOfferedVersion).toBe("3.0");
    await host.sink.waitFor((await sender.stop()).accepted);
  });

  it("is lost from the disk: the host runs what it has, and fetches it again", async () => {
    const rig = await packageHost({ leftBehind: "kill" });
    const { host, files } = rig;
    await offerProgram(rig, secondProgram());
    expect(await packageVerdict(host.server, "")).toBe("Installed 2.0");
    await expectRuns(host, "before");
    await host.kill();
    await killCollectors(host);
    rmSync(join(host.stateDir, "packages", "versions"), { recursive: true });
    const from = host.server.mark;
    await host.start();
    expect(await packageTold(host.server, "", /^Installed/, from)).toBe("Installed 2.0");
    await expectRuns(host, "before");
    expect(await runningProgram(host)).toContain("/packages/versions/_/");
    expect(files.requests).toHaveLength(2);
    await rig.sender.stop();
  });
});

describe("a package that is offered while the order is to run no Collector", () => {
  it("is installed with the next configuration", async () => {
    const rig = await packageHost();
    const { host, sender } = rig;
    await sender.stop();
    const stop = host.server.offer(remoteConfig({}));
    await host.server.verdict(stop);
    await offerProgram(rig, secondProgram());
    expect(await packageVerdict(host.server, "")).toMatch(/^InstallFailed: the order is to run no Collector/);
    expect(await host.collectors()).toEqual([]);
    const from = host.server.mark;
    await host.apply(named(host, "after"));
    expect(await packageTold(host.server, "", /^Installed/, from)).toBe("Installed 2.0");
    await expectRuns(host, "after");
  });
});
