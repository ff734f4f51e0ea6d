import { describe, expect, it } from "vitest";
import { CommandType } from "../../../src/opamp/gen/opamp/v1/opamp_pb.js";
import { RemoteConfigStatuses } from "../../../src/opamp/messages.ts";
import { remoteConfig } from "../../support/recording-opamp-server.ts";
import { type HostOptions, supervisorHost } from "../../support/supervisor-host.ts";

const { RemoteConfigStatuses_FAILED: failed } = RemoteConfigStatuses;

/** A server that has its agents poll every second. */
async function polledHost(options: HostOptions = {}) {
  const host = await supervisorHost({ transport: "http", ...options });
  host.server.answer = () => ({ connectionSettings: { opamp: { heartbeatIntervalSeconds: 1n } } });
  return host;
}

describe.each([
  ["reload", {}],
  ["restart", { use_hup_config_reload: false }],
] as const)("over plain HTTP, mode %s", (_mode, agent) => {
  it("configurations are applied and refused, by polling", async () => {
    const host = await polledHost({ agent });
    await host.startHealthy();
    expect(host.server.openConnections).toBe(0);
    const good = host.remotePipeline();
    const from = host.server.mark;
    await host.apply(good);
    expect(host.server.statusesOf(good, from)).toEqual(["APPLYING", "APPLIED"]);
    await host.server.until("its effective configuration", () =>
      host.server.effectiveText.includes("otlphttp"),
    );
    await host.expectDataFlows();
    const pid = host.collectorPid();

    const bad = host.server.offer(remoteConfig({ "": { receivers: { doesntexist: {} } } }));
    const verdict = await host.server.verdict(bad);
    expect(verdict).toMatchObject({ status: failed, errorMessage: expect.stringContaining("doesntexist") });
    expect(host.server.statusesOf(bad)).toEqual(["APPLYING", "FAILED"]);
    expect(host.collectorPid()).toBe(pid);
    await host.expectDataFlows();
  });
});

describe("over plain HTTP", () => {
  it("a restart command and an empty configuration are obeyed", async () => {
    const host = await polledHost();
    const supervisor = await host.startHealthy();
    await host.apply(host.remotePipeline());
    const pid = host.collectorPid();
    host.server.push({ command: { type: CommandType.CommandType_Restart } });
    await supervisor.waitFor("collector_restarted");
    expect(host.collectorPid()).not.toBe(pid);
    await host.expectDataFlows();
    await host.apply(remoteConfig({}));
    expect(await host.collectors()).toEqual([]);
  });
});
