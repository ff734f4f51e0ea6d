import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { CommandType } from "../../../src/opamp/gen/opamp/v1/opamp_pb.js";
import { RemoteConfigStatuses } from "../../../src/opamp/messages.ts";
import { remoteConfig } from "../../support/recording-opamp-server.ts";
import { supervisorHost } from "../../support/supervisor-host.ts";

const stopped = { healthy: true, status: "stopped by an empty configuration" };

describe("an empty configuration map", () => {
  it("stops the Collector, which is APPLIED and healthy, and the next configuration starts it", async () => {
    const host = await supervisorHost();
    await host.startHealthy();
    await host.apply(host.remotePipeline());
    await host.expectDataFlows();

    const empty = remoteConfig({});
    const from = host.server.mark;
    await host.apply(empty);
    expect(host.server.statusesOf(empty, from)).toEqual(["APPLYING", "APPLIED"]);
    await host.server.until("an empty effective configuration", () => host.server.effectiveText === "");
    await host.server.until("healthy", () => host.server.state?.health?.healthy);
    expect(host.server.state?.health).toMatchObject(stopped);
    expect(await host.collectors()).toEqual([]);

    await host.apply(host.remotePipeline());
    await host.server.until("its own health", () => host.server.state?.health?.status === "StatusOK");
    await host.expectDataFlows();
  });

  it("outlives the supervisor, and neither a restart command nor local files start the Collector", async () => {
    const host = await supervisorHost({ configFiles: { "local.yaml": "" } });
    host.writeConfigFile("local.yaml", host.pipeline());
    const first = await host.startHealthy();
    const empty = await host.apply(remoteConfig({}));
    expect(await host.collectors()).toEqual([]);
    await first.kill("SIGTERM");

    const from = host.server.mark;
    const second = await host.start();
    await second.waitFor("started");
    const status = await host.server.verdict(empty, from);
    expect(status.status).toBe(RemoteConfigStatuses.RemoteConfigStatuses_APPLIED);
    await host.server.reported("health", ({ healthy }) => healthy, from);
    expect(host.server.state?.health).toMatchObject(stopped);
    host.server.push({ command: { type: CommandType.CommandType_Restart } });
    await second.waitFor("restart_ignored");
    host.writeConfigFile("local.yaml", { ...host.pipeline(), extensions: {} });
    // Longer than a burst of changes takes to settle: nothing is to happen, so there is nothing to wait for.
    await sleep(400);
    expect(await host.collectors()).toEqual([]);
    expect(host.server.effectiveText).toBe("");

    await host.apply(host.remotePipeline());
    await host.expectDataFlows();
  });

  it("is something else than a map with one empty file, which runs an empty Collector", async () => {
    const host = await supervisorHost();
    await host.startHealthy();
    await host.apply(remoteConfig({ "": "service: { telemetry: { metrics: { level: none } } }" }));
    await host.server.until("healthy", () => host.server.state?.health?.status === "StatusOK");
    await host.onlyCollector();
  });
});
