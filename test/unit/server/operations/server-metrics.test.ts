import { describe, expect, it, onTestFinished } from "vitest";
import { RemoteConfigStatuses } from "../../../../src/opamp/messages.ts";
import { parseSelector } from "../../../../src/opamp/selector.ts";
import { fetchBytes, RawWebSocketAgent } from "../../../support/raw-agent.ts";
import { pushConfiguration, startTestServer, type TestServer, yaml } from "../test-server.ts";

async function scrape({ api }: TestServer): Promise<string[]> {
  const answer = await fetchBytes(api("/metrics"));
  expect(answer.headers["content-type"]).toBe("text/plain; version=0.0.4; charset=utf-8");
  return answer.body.toString().split("\n");
}

async function enter({ server }: TestServer, attributes: Record<string, string> = {}) {
  const { agent } = await RawWebSocketAgent.join(server.opampUrl, { attributes });
  onTestFinished(() => agent.socket.terminate());
  return agent;
}

describe("GET /metrics", () => {
  it("counts agents, by the labels that are set", async () => {
    const server = await startTestServer({ metrics: { labels: ["service.version"] } });
    await enter(server, { "service.version": "1" });
    await enter(server, { "service.version": "1" });
    await enter(server, { "service.version": '2"' });
    const lines = await scrape(server);
    expect(lines).toContain('opamp_server_connected_agents{service_version="1"} 2');
    expect(lines).toContain('opamp_server_connected_agents{service_version="2\\""} 1');
    expect(lines).toContain("opamp_server_websocket_connections_total 3");
    expect(lines).toContain("opamp_server_known_agents 3");
  });

  it.each([
    ["success", RemoteConfigStatuses.RemoteConfigStatuses_APPLIED],
    ["failure", RemoteConfigStatuses.RemoteConfigStatuses_FAILED],
  ])("counts an update as %s once, and how long it took", async (status, verdict) => {
    const server = await startTestServer();
    const agent = await enter(server, { env: "prod" });
    await pushConfiguration(server.server, parseSelector("env=prod"), yaml("receivers:\n"));
    const { remoteConfig } = await agent.receive();
    const lastRemoteConfigHash = remoteConfig!.configHash;
    const report = (each: RemoteConfigStatuses) =>
      agent.exchange({ remoteConfigStatus: { lastRemoteConfigHash, status: each } });
    await report(RemoteConfigStatuses.RemoteConfigStatuses_APPLYING);
    server.clock.advance(2_000);
    await report(verdict);
    await report(verdict);
    const lines = await scrape(server);
    expect(lines).toContain(`opamp_server_config_updates_total{status="${status}"} 1`);
    expect(lines).toContain('opamp_server_config_update_duration_seconds_bucket{le="1"} 0');
    expect(lines).toContain('opamp_server_config_update_duration_seconds_bucket{le="2.5"} 1');
    expect(lines).toContain("opamp_server_config_update_duration_seconds_sum 2");
    expect(lines).toContain('opamp_server_messages_received_total{type="remote_config_status"} 4');
    expect(lines).toContain('opamp_server_messages_sent_total{type="remote_config"} 1');
  });

  it("counts each time that an agent turns unhealthy", async () => {
    const server = await startTestServer();
    const agent = await enter(server);
    for (const healthy of [false, false, true, false]) await agent.exchange({ health: { healthy } });
    expect(await scrape(server)).toContain("opamp_server_health_check_failures_total 2");
  });
});
