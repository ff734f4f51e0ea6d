import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parseInstanceUid } from "../../../src/opamp/instance-uid.ts";
import { RemoteConfigStatuses } from "../../../src/opamp/messages.ts";
import { addFallback, expectRuns, named } from "../../support/fault-host.ts";
import { hashOf } from "../../support/recording-opamp-server.ts";
import { supervisorHost } from "../../support/supervisor-host.ts";

const { RemoteConfigStatuses_APPLIED: applied } = RemoteConfigStatuses;

const reloadModes = [
  ["reload", {}],
  ["restart", { use_hup_config_reload: false }],
] as const;

describe.each(reloadModes)("a start, mode %s", (_mode, agent) => {
  it("on the configuration that the reference saved, the server down; then reports it APPLIED", async () => {
    const host = await supervisorHost({ server: "down", agent });
    const saved = host.remotePipeline();
    const instanceId = "018fee23-4a51-7303-a441-73faed7d9deb";
    await host.saveRemote(saved);
    await writeFile(
      join(host.stateDir, "persistent_state.yaml"),
      [
        `instance_id: ${instanceId}`,
        "last_remote_config_status:",
        "    status: 1",
        `    last_remote_config_hash: ${hashOf(saved)}`,
        `    error_message: ""`,
      ].join("\n"),
    );
    await host.start();
    await host.expectDataFlows();

    const server = await host.startServer();
    await server.verdict(saved);
    expect(server.state?.remoteConfigStatus).toMatchObject({ status: applied, errorMessage: "" });
    expect(server.state?.instanceUid).toEqual(parseInstanceUid(instanceId));
    await server.reported("health", (health) => health.healthy);
    expect(server.effectiveText).toContain("otlphttp");
    await host.expectDataFlows();
  });

  it("on local files only, and takes a remote configuration over them later", async () => {
    const host = await supervisorHost({ agent, configFiles: { "local.yaml": "" } });
    host.writeConfigFile("local.yaml", host.pipeline());
    await host.startHealthy();
    await host.server.until("healthy", () => host.server.state?.health?.status === "StatusOK");
    await host.expectDataFlows();
    // Nothing came from the server, so there is nothing to have a status.
    expect(host.server.state?.remoteConfigStatus?.lastRemoteConfigHash).toHaveLength(0);

    const config = host.remotePipeline({ statements: ['set(log.attributes["remote"], true)'] });
    const offered = host.server.mark;
    await host.apply(config);
    expect(host.server.statusesOf(config, offered)).toEqual(["APPLYING", "APPLIED"]);
    await host.server.until("the rule is in the effective configuration", () =>
      host.server.effectiveText.includes('set(log.attributes["remote"], true)'),
    );
    await host.expectDataFlows();
  });
});

describe("a start on nothing", () => {
  it("runs an empty Collector that says what it is, with the server up", async () => {
    const host = await supervisorHost();
    await host.start();
    await host.server.reported("health", ({ status }) => status === "bootstrap: StatusOK");
    expect(host.server.state?.health?.healthy).toBe(true);
    await host.onlyCollector();
    await host.apply(host.remotePipeline());
    await host.server.until("health without a role", () => host.server.state?.health?.status === "StatusOK");
    await host.expectDataFlows();
  });

  it("runs an empty Collector with the server down, and connects when it comes up", async () => {
    const host = await supervisorHost({ server: "down" });
    const supervisor = await host.start();
    const line = await supervisor.waitFor("config_updated");
    expect(line).toMatchObject({ trigger: "start", unchanged: false });
    const pid = host.collectorPid();

    const server = await host.startServer();
    await server.reported("health", (health) => health.healthy);
    await host.apply(host.remotePipeline());
    await host.expectDataFlows();
    // The very process that ran before there was a server.
    expect(host.collectorPid()).toBe(pid);
  });

  it("with a local file that has no pipelines", async () => {
    const host = await supervisorHost({
      configFiles: { "local.yaml": { service: { telemetry: { metrics: { level: "none" } } } } },
    });
    await host.startHealthy();
    await host.server.until("healthy", () => host.server.state?.health?.status === "StatusOK");
    await host.apply(host.remotePipeline());
    await host.expectDataFlows();
  });

  it("with the server down runs the fallback of this host, until the server has something better", async () => {
    const host = await supervisorHost({ server: "down" });
    const port = await addFallback(host);
    await host.start();
    await host.expectDataFlows(port);

    const server = await host.startServer();
    await server.reported("health", ({ healthy, status }) => healthy && status === "fallback: StatusOK");
    expect(server.effectiveText).toContain("generation: fallback");
    await host.apply(named(host, "wanted"));
    await expectRuns(host, "wanted");
    expect(server.state?.health?.status).toBe("StatusOK");
  });
});

describe("a start with a server that", () => {
  it("goes away and comes back: the Collector does not notice", async () => {
    const host = await supervisorHost();
    await host.startHealthy();
    const config = await host.apply(host.remotePipeline());
    const pid = host.collectorPid();
    await host.server[Symbol.asyncDispose]();
    await host.expectDataFlows();

    const server = await host.startServer();
    await server.verdict(config);
    expect(server.state?.remoteConfigStatus).toMatchObject({ status: applied });
    expect(server.statusesOf(config)).toEqual(["APPLIED"]);
    await server.reported("health", (health) => health.healthy);
    expect(host.collectorPid()).toBe(pid);
  });
});
