import { chmodSync, copyFileSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { collectorBinary, fewerCollectorBinary } from "../../support/collector.ts";
import { eventually } from "../../support/eventually.ts";
import { expectRuns, named } from "../../support/fault-host.ts";
import { PackageServer } from "../../support/package-server.ts";
import {
  offerProgram,
  packageHost,
  packageTold,
  packageVerdict,
  pushPackages,
  runningProgram,
  secondProgram,
  statusOf,
  storyOf,
  takingPackages,
} from "../../support/packages.ts";
import { supervisorHost } from "../../support/supervisor-host.ts";
import { tempDir } from "../../support/temp-dir.ts";

describe("a host that runs a package of its server", () => {
  it("goes back to agent.executable when it does not take packages any more", async () => {
    const rig = await packageHost();
    const { host } = rig;
    await offerProgram(rig, secondProgram());
    expect(await packageVerdict(host.server, "")).toBe("Installed 2.0");
    const packageOff = host.server.mark;
    await host.writeSettings({}, { accepts_packages: false });
    await host.restart();
    await eventually("its own program runs", async () => (await runningProgram(host)) === collectorBinary());
    await expectRuns(host, "before");
    // What it does not take it says nothing of (AP1).
    expect(storyOf(host.server, "", packageOff)).toEqual([]);
    // And back: the server's offer is known still, or made again.
    const from = host.server.mark;
    await host.writeSettings();
    await host.restart();
    const told = await packageTold(host.server, "", /^Install(ed|Failed)/, from);
    if (told !== "Installed 2.0") pushPackages(host, await rig.files.offer({ "": secondProgram() }));
    await packageTold(host.server, "", /^Installed 2\.0/, from);
    await eventually("the package runs", async () => (await runningProgram(host)).includes("/packages/"));
    await expectRuns(host, "before");
  });

  it("keeps it when the administrator upgrades agent.executable; that one runs when the package is withdrawn", async () => {
    const host = await supervisorHost(takingPackages({ agent: { probation: "100ms" } }));
    const own = join(host.dir, "otelcol");
    copyFileSync(collectorBinary(), own);
    await host.writeSettings({ executable: own });
    const files = await PackageServer.start();
    await host.startHealthy();
    await host.apply(host.remotePipeline({ telemetry: { resource: { generation: "before" } } }));
    pushPackages(host, await files.offer({ "": secondProgram() }));
    expect(await packageVerdict(host.server, "")).toBe("Installed 2.0");
    const pid = await host.onlyCollector();
    copyFileSync(fewerCollectorBinary(), `${own}.new`);
    renameSync(`${own}.new`, own);
    await host.restart();
    await expectRuns(host, "before");
    expect(await host.onlyCollector()).toBe(pid);
    expect(statusOf(host.server, "")?.agentHasVersion).toBe("2.0");
    pushPackages(host, await files.offer({}));
    await eventually("its own program runs", async () => (await runningProgram(host)) === own);
    await expectRuns(host, "before");
  });
});

describe("a Collector that runs as another user", () => {
  it.runIf(process.getuid?.() === 0)("can be a package, and read addons", async () => {
    // The cache of the built Collector may be closed to other users.
    const dir = tempDir();
    const executable = join(dir, "otelcol");
    copyFileSync(collectorBinary(), executable);
    const host = await supervisorHost(takingPackages({ agent: { executable, run_as: "nobody" } }));
    for (const path of [dir, host.dir]) chmodSync(path, 0o711);
    const rule = join(host.dir, "rule.ottl");
    writeFileSync(rule, 'set(log.attributes["seen"], true)', { mode: 0o600 });
    const files = await PackageServer.start();
    await host.startHealthy();
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the Collector that resolves it
    const statements = ["${file:${env:OPAMP_PACKAGES}/rules/rule.ottl}"];
    const config = named(host, "after", { statements });
    host.server.push({
      remoteConfig: config,
      packagesAvailable: await files.offer({
        "": secondProgram(),
        rules: { file: rule, version: "one", type: "addon" },
      }),
    });
    expect(await packageVerdict(host.server, "")).toBe("Installed 2.0");
    await expectRuns(host, "after");
    const pid = await host.onlyCollector();
    expect(readFileSync(`/proc/${pid}/status`, "utf8")).toMatch(/^Uid:\t65534\t65534\t65534/m);
    expect(readFileSync(`/proc/${pid}/cmdline`, "utf8")).toContain("/packages/versions/_/");
  });
});
