import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { collectorBinary } from "../../support/collector.ts";
import { eventually } from "../../support/eventually.ts";
import { expectRuns, lastStatusOf, named } from "../../support/fault-host.ts";
import { PackageServer } from "../../support/package-server.ts";
import {
  offerProgram,
  packageVerdict,
  pushPackages,
  runningProgram,
  secondProgram,
  statusOf,
  takingPackages,
  versionOf,
} from "../../support/packages.ts";
import { type SupervisorHost, supervisorHost } from "../../support/supervisor-host.ts";

const hosts = [
  { what: "no agent.executable", agent: (_host: SupervisorHost) => ({ executable: undefined }) },
  {
    what: "nothing at agent.executable yet",
    agent: (host: SupervisorHost) => ({ executable: join(host.dir, "otelcol") }),
  },
];

describe.each(hosts)("a host with $what", ({ agent }) => {
  const start = async () => {
    const host = await supervisorHost(takingPackages({ agent: { probation: "100ms" } }));
    await host.writeSettings(agent(host));
    const files = await PackageServer.start();
    const supervisor = await host.start();
    await supervisor.waitFor("started");
    return { host, files, supervisor };
  };

  it("gets its Collector from the server, and then runs what it was offered before", async () => {
    const { host, files } = await start();
    const config = host.server.offer(named(host, "before"));
    const { errorMessage } = await host.server.verdict(config);
    expect(errorMessage).toMatch(/there is no Collector .* yet: it waits for a package of the server/);
    expect(await host.collectors()).toEqual([]);
    expect(host.server.state?.health?.healthy).toBe(false);

    await offerProgram({ host, files }, secondProgram());
    expect(await packageVerdict(host.server, "")).toBe("Installed 2.0");
    await expectRuns(host, "before");
    expect(await runningProgram(host)).toContain("/packages/versions/_/");
    await host.server.until("the version", () => versionOf(host.server) === "0.149.1");
    await host.server.until("APPLIED", () => lastStatusOf(host, config) === "APPLIED");
    expect(host.server.statusesOf(config)).toEqual(["APPLYING", "FAILED", "APPLYING", "APPLIED"]);
  });

  it("takes both from one message", async () => {
    const { host, files } = await start();
    const config = named(host, "before");
    host.server.push({ remoteConfig: config, packagesAvailable: await files.offer({ "": secondProgram() }) });
    expect(await packageVerdict(host.server, "")).toBe("Installed 2.0");
    await expectRuns(host, "before");
    await host.server.until("APPLIED", () => lastStatusOf(host, config) === "APPLIED");
    expect(host.server.statusesOf(config)).toEqual(["APPLYING", "APPLIED"]);
  });

  it("stays without one when the package is bad, and takes the next", async () => {
    const { host, files, supervisor } = await start();
    const from = host.server.mark;
    await offerProgram({ host, files }, { file: "/bin/true", version: "true" });
    expect(await packageVerdict(host.server, "", from)).toMatch(/^InstallFailed/);
    expect(await host.collectors()).toEqual([]);
    expect(statusOf(host.server, "")?.agentHasVersion).toBe("");
    expect(supervisor.running).toBe(true);
    const next = host.server.mark;
    pushPackages(host, await files.offer({ "": secondProgram() }));
    expect(await packageVerdict(host.server, "", next)).toBe("Installed 2.0");
    await host.apply(named(host, "before"));
    await expectRuns(host, "before");
  });
});

describe("a host whose server takes back the only Collector that it has", () => {
  it("keeps it: a host is not to be left without", async () => {
    const host = await supervisorHost(takingPackages({ agent: { probation: "100ms" } }));
    await host.writeSettings({ executable: undefined });
    const files = await PackageServer.start();
    await (await host.start()).waitFor("started");
    await offerProgram({ host, files }, secondProgram());
    expect(await packageVerdict(host.server, "")).toBe("Installed 2.0");
    await host.apply(named(host, "before"));
    await expectRuns(host, "before");
    const pid = await host.onlyCollector();
    pushPackages(host, await files.offer({}));
    await host.server.until("told", () => statusOf(host.server, "")?.serverOfferedVersion === "");
    await eventually("refused", () => host.logLines.some(({ event }) => event === "packages_failed"));
    await expectRuns(host, "before");
    expect(await host.onlyCollector()).toBe(pid);
    expect(statusOf(host.server, "")?.agentHasVersion).toBe("2.0");
    // AP15: no package is offered that could be said to have failed.
    expect(host.server.state?.packageStatuses?.errorMessage).toMatch(/there is no Collector on this host/);
  });
});

describe("a host that has waited for a package", () => {
  it("runs a Collector that somebody installs after all, at the next start", async () => {
    const host = await supervisorHost(takingPackages({ agent: { probation: "100ms" } }));
    const path = join(host.dir, "otelcol");
    await host.writeSettings({ executable: path });
    const first = await host.start();
    await first.waitFor("started");
    const config = host.server.offer(named(host, "before"));
    await host.server.verdict(config);
    await first.kill("SIGTERM");
    copyFileSync(collectorBinary(), path);
    const from = host.server.mark;
    await host.start();
    await host.server.reported("health", ({ healthy }) => healthy, from);
    await host.apply(config);
    await expectRuns(host, "before");
  });
});
