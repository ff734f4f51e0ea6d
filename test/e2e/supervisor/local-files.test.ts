import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { remoteConfig } from "../../support/recording-opamp-server.ts";
import { supervisorHost } from "../../support/supervisor-host.ts";

const rule = (name: string) => `set(log.attributes["${name}"], true)`;

const reloadModes = [
  ["reload", {}],
  ["restart", { use_hup_config_reload: false }],
] as const;

describe.each(reloadModes)("local files that are edited, mode %s", (_mode, agent) => {
  it("are merged and applied; a remote configuration keeps its status and its place", async () => {
    const host = await supervisorHost({ agent, configFiles: { "local.yaml": "" } });
    host.writeConfigFile("local.yaml", host.pipeline());
    const supervisor = await host.startHealthy();
    const remote = await host.apply(host.remotePipeline({ statements: [rule("remote")] }));
    const from = host.server.mark;

    // As an editor does: a new file in place of the old one.
    const file = join(host.dir, "local.yaml");
    writeFileSync(
      `${file}.new`,
      JSON.stringify({ ...host.pipeline(), exporters: { ...host.pipeline().exporters, debug: {} } }),
    );
    renameSync(`${file}.new`, file);
    await supervisor.waitFor(
      ({ event, trigger }) => event === "config_updated" && trigger === "config_files changed",
    );
    await host.server.until("the edit is effective", () => host.server.effectiveText.includes("debug:"));
    expect(host.server.effectiveText).toContain(rule("remote"));
    await host.server.until("healthy", () => host.server.state?.health?.healthy);
    expect(host.server.statusesOf(remote, from)).toEqual([]);
    await host.expectDataFlows();
  });

  it("badly change nothing, whatever is wrong with them", async () => {
    const host = await supervisorHost({ agent, configFiles: { "local.yaml": "" } });
    host.writeConfigFile("local.yaml", host.pipeline({ statements: [rule("local")] }));
    const supervisor = await host.startHealthy();
    const pid = host.collectorPid();
    const effective = await host.readState("effective.yaml");
    const from = host.server.mark;
    const sender = host.send();
    await sender.accepted();

    host.writeConfigFile("local.yaml", { ...host.pipeline(), exporters: { doesntexist: {} } });
    const failure = await supervisor.waitFor("config_update_failed");
    expect(failure).toMatchObject({
      trigger: "config_files changed",
      error: expect.stringContaining("doesntexist"),
    });
    await sender.accepted();
    expect((await sender.stop()).refused).toEqual([]);
    expect(host.collectorPid()).toBe(pid);
    expect(await host.readState("effective.yaml")).toBe(effective);
    expect(host.server.received.slice(from).filter(({ message }) => message.remoteConfigStatus)).toEqual([]);

    host.writeConfigFile("local.yaml", host.pipeline({ statements: [rule("mended")] }));
    await host.server.until("the mended file is effective", () =>
      host.server.effectiveText.includes(rule("mended")),
    );
    await host.expectDataFlows();
  });
});

describe("a local file that was broken", () => {
  it("does not make a good offer of the server fail", async () => {
    const host = await supervisorHost({ configFiles: { "local.yaml": "" } });
    host.writeConfigFile("local.yaml", host.pipeline());
    const supervisor = await host.startHealthy();
    host.writeConfigFile("local.yaml", { ...host.pipeline(), exporters: { doesntexist: {} } });
    await supervisor.waitFor("config_update_failed");
    const remote = await host.apply(host.remotePipeline({ statements: [rule("remote")] }));
    expect(host.server.statusesOf(remote)).toEqual(["APPLYING", "APPLIED"]);
    await host.expectDataFlows();
  });

  it("into no YAML counts as it was, also for the next supervisor", async () => {
    const host = await supervisorHost({ configFiles: { "local.yaml": "" } });
    host.writeConfigFile("local.yaml", host.pipeline());
    const first = await host.startHealthy();
    const pid = host.collectorPid();
    host.writeConfigFile("local.yaml", "receivers: [");
    const line = await first.waitFor("config_file_refused");
    expect(line).toMatchObject({
      level: "error",
      file: join(host.dir, "local.yaml"),
      problem: expect.any(String),
    });
    await first.waitFor(({ event, unchanged }) => event === "config_updated" && unchanged === true);
    expect(host.collectorPid()).toBe(pid);
    await host.expectDataFlows();
    // The server's part can be changed meanwhile.
    await host.apply(remoteConfig({ "": { exporters: { debug: {} } } }));
    await host.expectDataFlows();

    await first.kill("SIGTERM");
    await host.startHealthy();
    await host.expectDataFlows();
  });
});
