import { describe, expect, it, onTestFinished } from "vitest";
import { AgentCapability, ServerToAgentFlag } from "../../../src/opamp/bits.ts";
import { formatInstanceUid } from "../../../src/opamp/instance-uid.ts";
import { RemoteConfigStatuses, type ServerToAgent } from "../../../src/opamp/messages.ts";
import { everyAgent, parseSelector } from "../../../src/opamp/selector.ts";
import { type Configuration, createConfiguration } from "../../../src/server/configurations/configuration.ts";
import {
  type RawAgentOptions,
  RawHttpAgent,
  RawWebSocketAgent,
  type Report,
} from "../../support/raw-agent.ts";
import { pushConfiguration, startTestServer, type TestServer, yaml } from "./test-server.ts";

const { RemoteConfigStatuses_APPLIED: APPLIED, RemoteConfigStatuses_FAILED: FAILED } = RemoteConfigStatuses;
const { ReportsStatus, AcceptsRemoteConfig, ReportsRemoteConfig } = AgentCapability;
const a = yaml("receivers: {a: }\n");
const b = yaml("receivers: {b: }\n");

const answered = (configuration: Configuration, status: number, errorMessage = ""): Report => ({
  remoteConfigStatus: { lastRemoteConfigHash: configuration.hash, status, errorMessage },
});

async function join({ server }: TestServer, options: RawAgentOptions = {}, report: Report = {}) {
  const joined = await RawWebSocketAgent.join(server.opampUrl, options, report);
  onTestFinished(() => joined.agent.socket.terminate());
  return joined;
}

const offeredHash = (message: ServerToAgent) =>
  message.remoteConfig && Buffer.from(message.remoteConfig.configHash).toString("hex");

describe("a pushed configuration", () => {
  it("goes to connected Agents at once, whole and with its hash (SC3, SC4)", async () => {
    const online = await startTestServer();
    const { agent } = await join(online);
    const result = await pushConfiguration(online.server, everyAgent, a);
    const message = await agent.receive();
    expect(message.instanceUid).toEqual(agent.speaker.uid);
    expect(offeredHash(message)).toBe(a.hashHex);
    expect(Buffer.from(message.remoteConfig!.config!.configMap[""]!.body).toString()).toBe(
      "receivers: {a: }\n",
    );
    expect(result).toMatchObject({ matched: 1, pending: [], skipped: [] });
    expect(result.offered).toEqual([formatInstanceUid(agent.speaker.uid)]);
    expect(online.log.of("config_offered")).toMatchObject([{ config_hash: a.hashHex }]);
  });

  it("goes to Agents that come later, in the answer to their first report (SC2)", async () => {
    const online = await startTestServer();
    await pushConfiguration(online.server, parseSelector("env=prod"), a);
    const prod = await join(online, { attributes: { env: "prod" } });
    const dev = await join(online, { attributes: { env: "dev" } });
    expect(offeredHash(prod.answer)).toBe(a.hashHex);
    expect(dev.answer.remoteConfig).toBeUndefined();
  });

  it("waits until the Agent has said what it runs (SS1, SC3)", async () => {
    const online = await startTestServer();
    await pushConfiguration(online.server, everyAgent, a);
    const agent = await RawWebSocketAgent.connect(online.server.opampUrl);
    onTestFinished(() => agent.socket.terminate());
    const answer = await agent.exchange({ sequenceNum: 7n });
    expect(answer.flags).toBe(ServerToAgentFlag.ReportFullState);
    expect(answer.remoteConfig).toBeUndefined();
    const full = await agent.exchange(agent.speaker.full(answered(a, APPLIED)));
    expect(full.remoteConfig).toBeUndefined();
  });

  it("is never offered to an Agent that does not accept it (SC1), and is once it does (SS4)", async () => {
    const online = await startTestServer();
    const { agent, answer } = await join(online, { capabilities: ReportsStatus });
    expect(answer.remoteConfig).toBeUndefined();
    const { offered, skipped } = await pushConfiguration(online.server, everyAgent, a);
    expect(offered).toEqual([]);
    expect(skipped).toEqual([
      { id: formatInstanceUid(agent.speaker.uid), reason: "does not accept remote configuration" },
    ]);
    expect((await agent.exchange({})).remoteConfig).toBeUndefined();
    const able = await agent.exchange({ capabilities: ReportsStatus | AcceptsRemoteConfig });
    expect(offeredHash(able)).toBe(a.hashHex);
  });

  it.each([
    ["APPLIED", APPLIED],
    ["FAILED", FAILED],
  ])("is not offered again once answered with %s (SC3)", async (_, status) => {
    const online = await startTestServer();
    const { agent } = await join(online);
    await pushConfiguration(online.server, everyAgent, a);
    await agent.receive();
    expect((await agent.exchange(answered(a, status, "why"))).remoteConfig).toBeUndefined();
    online.clock.advance(20_000);
    expect((await agent.exchange({})).remoteConfig).toBeUndefined();
    expect(
      (await agent.exchange(agent.speaker.full(answered(a, status, "why")))).remoteConfig,
    ).toBeUndefined();
    expect((await pushConfiguration(online.server, everyAgent, a)).skipped).toMatchObject([
      { reason: "has answered this configuration already" },
    ]);
    await agent.close();
    await online.log.seen("agent_disconnected");
    const back = await join(online, { uid: agent.speaker.uid }, answered(a, status, "why"));
    expect(back.answer.remoteConfig).toBeUndefined();
  });

  it("is not offered again to an Agent that refused it and went back to naming the old one", async () => {
    const online = await startTestServer();
    const { agent } = await join(online, {}, answered(a, APPLIED));
    await pushConfiguration(online.server, everyAgent, b);
    await agent.receive();
    await agent.exchange(answered(b, FAILED, "no such receiver"));
    online.clock.advance(60_000);
    expect((await agent.exchange(answered(a, APPLIED))).remoteConfig).toBeUndefined();
    await agent.close();
    await online.log.seen("agent_disconnected");
    const back = await join(online, { uid: agent.speaker.uid }, answered(a, APPLIED));
    expect(back.answer.remoteConfig).toBeUndefined();
    // Pushing it again is the operator's word.
    expect((await pushConfiguration(online.server, everyAgent, b)).offered).toHaveLength(1);
    expect(offeredHash(await back.agent.receive())).toBe(b.hashHex);
  });

  it("is offered again to an Agent that refused it and has been told to forget that", async () => {
    const online = await startTestServer();
    const { agent } = await join(online);
    await pushConfiguration(online.server, everyAgent, b);
    await agent.receive();
    await agent.exchange(answered(b, FAILED, "the disk is full"));
    expect((await agent.exchange({})).remoteConfig).toBeUndefined();
    online.clock.advance(20_000);
    expect(offeredHash(await agent.exchange({ remoteConfigStatus: {} }))).toBe(b.hashHex);
  });

  it("is offered once in a connection while the Agent works on it", async () => {
    const online = await startTestServer();
    const { agent } = await join(online);
    await pushConfiguration(online.server, everyAgent, a);
    await agent.receive();
    expect((await agent.exchange({ health: { healthy: false } })).remoteConfig).toBeUndefined();
    online.clock.advance(20_000);
    expect((await agent.exchange({})).remoteConfig).toBeUndefined();
    // It says outright that it has none: SC2 leaves no choice.
    expect(offeredHash(await agent.exchange({ remoteConfigStatus: {} }))).toBe(a.hashHex);
    // But not in a circle.
    expect((await agent.exchange({ remoteConfigStatus: {} })).remoteConfig).toBeUndefined();
  });

  it("is offered again on the next connection if it was never answered", async () => {
    const online = await startTestServer();
    const { agent } = await join(online);
    await pushConfiguration(online.server, everyAgent, a);
    await agent.receive();
    await agent.close();
    await online.log.seen("agent_disconnected");
    const back = await join(online, { uid: agent.speaker.uid });
    expect(offeredHash(back.answer)).toBe(a.hashHex);
  });

  it("waits for an Agent that is not connected", async () => {
    const online = await startTestServer();
    const { agent } = await join(online);
    await agent.close();
    await online.log.seen("agent_disconnected");
    const { offered, pending } = await pushConfiguration(online.server, everyAgent, a);
    expect(offered).toEqual([]);
    expect(pending).toEqual([
      {
        id: formatInstanceUid(agent.speaker.uid),
        reason: "is not connected: is offered it when it comes back",
      },
    ]);
    const back = await join(online, { uid: agent.speaker.uid });
    expect(offeredHash(back.answer)).toBe(a.hashHex);
  });

  it("reaches a polling Agent with its next poll, and again if the answer was lost (SC4)", async () => {
    const online = await startTestServer();
    const agent = new RawHttpAgent(online.server.opampUrl);
    await agent.exchange(agent.speaker.full({}));
    const { offered, pending } = await pushConfiguration(online.server, everyAgent, a);
    expect(offered).toEqual([]);
    expect(pending).toEqual([
      {
        id: formatInstanceUid(agent.speaker.uid),
        reason: "polls over plain HTTP: is offered it at its next poll",
      },
    ]);
    expect(offeredHash(await agent.exchange({}))).toBe(a.hashHex);
    expect((await agent.exchange({})).remoteConfig).toBeUndefined();
    online.clock.advance(30_000);
    expect(offeredHash(await agent.exchange({}))).toBe(a.hashHex);
    expect((await agent.exchange(answered(a, APPLIED))).remoteConfig).toBeUndefined();
    online.clock.advance(30_000);
    expect((await agent.exchange({})).remoteConfig).toBeUndefined();
  });

  it("is offered once to a polling Agent that never reports a status", async () => {
    const online = await startTestServer();
    await pushConfiguration(online.server, everyAgent, a);
    const agent = new RawHttpAgent(online.server.opampUrl, {
      capabilities: ReportsStatus | AcceptsRemoteConfig,
    });
    expect(offeredHash(await agent.exchange(agent.speaker.full({})))).toBe(a.hashHex);
    online.clock.advance(60_000);
    expect((await agent.exchange({})).remoteConfig).toBeUndefined();
  });

  it("can be empty, which is an offer like any other (SC5)", async () => {
    const online = await startTestServer();
    const { agent } = await join(online, {
      capabilities: ReportsStatus | AcceptsRemoteConfig | ReportsRemoteConfig,
    });
    await pushConfiguration(online.server, everyAgent, createConfiguration({}));
    const message = await agent.receive();
    expect(message.remoteConfig!.config!.configMap).toEqual({});
    expect(message.remoteConfig!.configHash).toHaveLength(32);
  });

  it("leaves its statuses in the log and the applied hash with the Agent", async () => {
    const online = await startTestServer();
    const { agent } = await join(online);
    const agent_id = formatInstanceUid(agent.speaker.uid);
    await agent.exchange(answered(a, APPLIED));
    await agent.exchange(answered(b, FAILED, "bad key"));
    expect(online.log.of("config_status")).toEqual([
      { event: "config_status", agent_id, config_hash: a.hashHex, status: "APPLIED" },
      { event: "config_status", agent_id, config_hash: b.hashHex, status: "FAILED", error: "bad key" },
    ]);
    expect(online.server.fleet.get(agent_id)?.appliedHash).toBe(a.hashHex);
  });
});
