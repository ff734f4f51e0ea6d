import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { collectorBinary } from "../../support/collector.ts";
import { eventually } from "../../support/eventually.ts";
import { expectRuns, named } from "../../support/fault-host.ts";
import {
  crashesWhen,
  offerProgram,
  packageHost,
  packageTold,
  packageVerdict,
  pushPackages,
  runningProgram,
  scriptedProgram,
  secondProgram,
  statusOf,
} from "../../support/packages.ts";

describe("an offer that comes while a package", () => {
  it("is being proven waits, and the newest one counts", async () => {
    const rig = await packageHost({ agent: { config_apply_timeout: "2s" } });
    const { host, files, sender } = rig;
    await offerProgram(rig, scriptedProgram(host, "slow", `--config) touch "$DIR/begun"; exec sleep 1000;;`));
    await eventually("it is being proven", () => existsSync(join(host.dir, "begun")));
    const from = host.server.mark;
    const config = host.server.offer(named(host, "after"));
    pushPackages(host, await files.offer({ "": { file: "/bin/true", version: "old news" } }));
    const newest = await files.offer({ "": secondProgram() });
    pushPackages(host, newest);
    expect(await packageTold(host.server, "", /^Installed/, from)).toBe("Installed 2.0");
    await host.server.verdict(config);
    await expectRuns(host, "after");
    expect(await runningProgram(host)).toContain("/packages/versions/_/");
    expect(Buffer.from(host.server.state?.packageStatuses?.serverProvidedAllPackagesHash ?? [])).toEqual(
      newest.allPackagesHash,
    );
    await host.sink.waitFor((await sender.stop()).accepted);
  });

  it("is being downloaded, and is empty, ends the download", async () => {
    const rig = await packageHost();
    const { host, files, pid } = rig;
    files.stopAt = 1_000_000;
    await offerProgram(rig, secondProgram());
    await host.server.until(
      "on its way",
      () => (statusOf(host.server, "")?.downloadDetails?.downloadPercent ?? 0) > 1,
    );
    pushPackages(host, await files.offer({}));
    await host.server.until("nothing is told of it", () => statusOf(host.server, "") === undefined);
    await expectRuns(host, "before");
    expect(await host.onlyCollector()).toBe(pid);
    expect((await rig.sender.stop()).refused).toEqual([]);
  });

  it("is on its probation, and is a configuration, does not save it from being taken back", async () => {
    const rig = await packageHost({ agent: { probation: "10s" } });
    const { host, sender } = rig;
    await offerProgram(rig, scriptedProgram(host, "doomed", crashesWhen("die")));
    expect(await packageVerdict(host.server, "")).toBe("Installed doomed");
    await host.apply(named(host, "after"));
    await host.server.until("in effect", () => host.server.effectiveText.includes("generation: after"));
    const from = host.server.mark;
    writeFileSync(join(host.dir, "die"), "");
    expect(await packageTold(host.server, "", /^InstallFailed/, from)).toMatch(/exit code 3/);
    await eventually("its own program runs", async () => (await runningProgram(host)) === collectorBinary());
    await host.expectDataFlows();
    await host.server.until("healthy", () => host.server.state?.health?.healthy);
    await host.sink.waitFor((await sender.stop()).accepted);
  });
});

describe("a supervisor that is stopped", () => {
  it("in the middle of a download or of a proof ends in good order, and the next one goes on", async () => {
    const rig = await packageHost();
    const { host, files, sender } = rig;
    await sender.stop();
    files.stopAt = 1_000_000;
    await offerProgram(rig, secondProgram());
    await host.server.until(
      "on its way",
      () => (statusOf(host.server, "")?.downloadDetails?.downloadPercent ?? 0) > 1,
    );
    await host.kill("SIGTERM");
    expect(await host.collectors()).toEqual([]);
    files.stopAt = undefined;
    const from = host.server.mark;
    await host.start();
    expect(await packageTold(host.server, "", /^Install(ed|Failed)/, from)).toBe("Installed 2.0");
    await expectRuns(host, "before");
    expect(files.requests.at(-1)?.headers.range).toBe("bytes=1000000-");
  });
});
