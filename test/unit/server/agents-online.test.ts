import { describe, expect, it, onTestFinished } from "vitest";
import {
  AgentCapability,
  AgentToServerFlag,
  ServerCapability,
  ServerToAgentFlag,
} from "../../../src/opamp/bits.ts";
import { formatInstanceUid } from "../../../src/opamp/instance-uid.ts";
import {
  type RawAgentOptions,
  RawHttpAgent,
  RawWebSocketAgent,
  type Report,
  usualCapabilities,
} from "../../support/raw-agent.ts";
import { startTestServer, type TestServer } from "./test-server.ts";

async function join({ server }: TestServer, options: RawAgentOptions = {}, report: Report = {}) {
  const joined = await RawWebSocketAgent.join(server.opampUrl, options, report);
  onTestFinished(() => joined.agent.socket.terminate());
  return joined;
}

async function connect({ server }: TestServer, options: RawAgentOptions = {}) {
  const agent = await RawWebSocketAgent.connect(server.opampUrl, options);
  onTestFinished(() => agent.socket.terminate());
  return agent;
}

describe("an Agent on a WebSocket", () => {
  it("is answered with its own UID and what the server can do (SI1, SS3)", async () => {
    const online = await startTestServer();
    const { agent, answer } = await join(online);
    expect(answer.instanceUid).toEqual(agent.speaker.uid);
    expect(answer.flags).toBe(0n);
    expect(answer.errorResponse).toBeUndefined();
    expect(answer.capabilities).toBe(
      ServerCapability.AcceptsStatus |
        ServerCapability.OffersRemoteConfig |
        ServerCapability.AcceptsEffectiveConfig |
        ServerCapability.OffersConnectionSettings,
    );
    expect(online.log.of("agent_connected")).toMatchObject([
      {
        agent_id: formatInstanceUid(agent.speaker.uid),
        agent_version: "1.2.3",
        remote_addr: expect.stringContaining("127.0.0.1"),
      },
    ]);
  });

  it("is asked for everything when a report went missing (SS1)", async () => {
    const online = await startTestServer();
    const { agent } = await join(online);
    agent.speaker.sequence += 1n;
    const answer = await agent.exchange({});
    expect(answer.flags & ServerToAgentFlag.ReportFullState).toBe(ServerToAgentFlag.ReportFullState);
    expect((await agent.exchange(agent.speaker.full({}))).flags).toBe(0n);
  });

  it("keeps what a later message leaves out (SS5)", async () => {
    const online = await startTestServer();
    const { agent } = await join(online, { attributes: { env: "prod" } });
    await agent.exchange({ health: { healthy: false, lastError: "no disk" } });
    const known = online.server.fleet.get(formatInstanceUid(agent.speaker.uid));
    expect(known?.labels).toEqual({ env: "prod" });
    expect(known?.state.health?.lastError).toBe("no disk");
  });

  it("is asked for the components behind an unknown hash (SS6)", async () => {
    const online = await startTestServer();
    const capabilities = usualCapabilities | AgentCapability.ReportsAvailableComponents;
    const { agent, answer } = await join(
      online,
      { capabilities },
      { availableComponents: { hash: Buffer.from("h1") } },
    );
    expect(answer.flags).toBe(ServerToAgentFlag.ReportAvailableComponents);
    const full = { hash: Buffer.from("h1"), components: { receivers: {} } };
    expect((await agent.exchange({ availableComponents: full })).flags).toBe(0n);
  });

  it("gets a UID when it asks for one, and leaves no trace of the temporary one (SI2)", async () => {
    const online = await startTestServer();
    const { agent, answer } = await join(online, {}, { flags: AgentToServerFlag.RequestInstanceUid });
    const uid = answer.agentIdentification!.newInstanceUid;
    expect(uid).toHaveLength(16);
    expect(uid[6]! >> 4).toBe(7);
    expect(answer.instanceUid).toEqual(agent.speaker.uid);
    const again = await agent.exchange({ flags: AgentToServerFlag.RequestInstanceUid });
    expect(again.agentIdentification!.newInstanceUid).toEqual(uid);
    agent.speaker.uid = uid;
    await agent.exchange(agent.speaker.full({}));
    expect(online.server.fleet.list().map(({ id }) => id)).toEqual([formatInstanceUid(uid)]);
  });

  it("is gone as soon as it says good-bye", async () => {
    const online = await startTestServer();
    const { agent } = await join(online);
    await agent.exchange({ agentDisconnect: {} });
    expect(online.server.fleet.list()[0]?.presence.t).toBe("gone");
    expect(online.log.of("agent_disconnected")).toHaveLength(1);
  });

  it("is gone when its connection closes (SW6), and may come back", async () => {
    const online = await startTestServer();
    const { agent } = await join(online);
    await agent.close();
    expect(await online.log.seen("agent_disconnected")).toMatchObject({
      agent_id: formatInstanceUid(agent.speaker.uid),
    });
    const back = await connect(online, { uid: agent.speaker.uid });
    back.speaker.sequence = agent.speaker.sequence;
    expect((await back.exchange({})).flags).toBe(0n);
    expect(online.server.fleet.list()[0]?.presence.t).toBe("websocket");
    expect(online.log.of("agent_connected")).toHaveLength(2);
  });

  it("may share its connection with others (SW5)", async () => {
    const online = await startTestServer();
    const { agent } = await join(online);
    const first = agent.speaker.uid;
    agent.speaker.uid = Buffer.alloc(16, 7);
    agent.speaker.sequence = 0n;
    const answer = await agent.exchange(agent.speaker.full({}));
    expect(answer.instanceUid).toEqual(new Uint8Array(Buffer.alloc(16, 7)));
    expect(online.server.fleet.list()).toHaveLength(2);
    expect(online.server.fleet.get(formatInstanceUid(first))?.presence.t).toBe("websocket");
    await agent.close();
    await online.log.seen("agent_disconnected");
    expect(online.server.fleet.list().map(({ presence }) => presence.t)).toEqual(["gone", "gone"]);
  });
});

describe("two connections with one instance UID", () => {
  it("gives the newcomer another UID while the first one is alive (SI3)", async () => {
    const online = await startTestServer();
    const { agent: first } = await join(online, { attributes: { who: "first" } });
    const newcomer = await connect(online, { uid: first.speaker.uid, attributes: { who: "second" } });
    const answer = await newcomer.exchange(newcomer.speaker.full({}));
    expect(answer.instanceUid).toEqual(first.speaker.uid);
    const uid = answer.agentIdentification!.newInstanceUid;
    expect(uid).not.toEqual(first.speaker.uid);
    const again = await newcomer.exchange({});
    expect(again.agentIdentification!.newInstanceUid).toEqual(uid);
    expect(online.server.fleet.get(formatInstanceUid(first.speaker.uid))?.labels).toEqual({ who: "first" });
    expect(online.log.of("duplicate_instance_uid").length).toBeGreaterThan(0);

    newcomer.speaker.uid = uid;
    expect((await newcomer.exchange(newcomer.speaker.full({}))).agentIdentification).toBeUndefined();
    expect((await first.exchange({})).flags).toBe(0n);
  });

  it("lets an Agent back in whose old connection is dead", async () => {
    const online = await startTestServer();
    const { agent: old } = await join(online);
    old.socket.pause();
    const back = await connect(online, { uid: old.speaker.uid });
    back.speaker.sequence = old.speaker.sequence;
    back.send({});
    const answer = back.receive();
    // The ping is waited for; nothing short of the clock tells a dead peer from a slow one.
    await expect.poll(() => online.clock.pending.includes(5_000)).toBe(true);
    online.clock.advance(5_000);
    expect((await answer).agentIdentification).toBeUndefined();
    expect((await answer).flags).toBe(0n);
    const [known, ...others] = online.server.fleet.list();
    expect(others).toEqual([]);
    expect(known?.presence.t).toBe("websocket");
    old.socket.resume();
    await old.closed;
    expect((await back.exchange({})).flags).toBe(0n);
    expect(online.server.fleet.list()[0]?.presence.t).toBe("websocket");
  });

  it("does not let the newcomer sign the first one off", async () => {
    const online = await startTestServer();
    const { agent: first } = await join(online);
    const newcomer = await connect(online, { uid: first.speaker.uid });
    await newcomer.exchange({ agentDisconnect: {} });
    expect(online.server.fleet.list()[0]?.presence.t).toBe("websocket");
  });
});

describe("an Agent on plain HTTP", () => {
  it("stays while it polls and is gone after three missed polls (SH5)", async () => {
    const online = await startTestServer();
    const agent = new RawHttpAgent(online.server.opampUrl);
    expect((await agent.exchange(agent.speaker.full({}))).flags).toBe(0n);
    online.clock.advance(90_000);
    await agent.exchange({});
    online.clock.advance(90_000);
    expect(online.server.fleet.list()[0]?.presence.t).toBe("polling");
    online.clock.advance(30_000);
    expect(online.server.fleet.list()[0]?.presence.t).toBe("gone");
    expect(online.log.of("agent_connected")).toHaveLength(1);
    await agent.exchange({});
    expect(online.server.fleet.list()[0]?.presence.t).toBe("polling");
  });

  it("is gone as soon as it says good-bye (SH5)", async () => {
    const online = await startTestServer();
    const agent = new RawHttpAgent(online.server.opampUrl);
    await agent.exchange(agent.speaker.full({}));
    await agent.exchange({ agentDisconnect: {} });
    expect(online.server.fleet.list()[0]?.presence.t).toBe("gone");
  });

  it("can move to a WebSocket", async () => {
    const online = await startTestServer();
    const agent = new RawHttpAgent(online.server.opampUrl);
    await agent.exchange(agent.speaker.full({}));
    const moved = await connect(online, { uid: agent.speaker.uid });
    moved.speaker.sequence = agent.speaker.sequence;
    expect((await moved.exchange({})).flags).toBe(0n);
    online.clock.advance(200_000);
    expect(online.server.fleet.list()[0]?.presence.t).toBe("websocket");
  });
});
