import { describe, expect, it, onTestFinished } from "vitest";
import { systemClock } from "../../../src/foundation/clock.ts";
import { formatInstanceUid } from "../../../src/opamp/instance-uid.ts";
import { RemoteConfigStatuses, type ServerToAgent } from "../../../src/opamp/messages.ts";
import { everyAgent } from "../../../src/opamp/selector.ts";
import type { Configuration } from "../../../src/server/configurations/configuration.ts";
import { offersOf } from "../../../src/server/fleet/offer-history.ts";
import { openDatabase } from "../../../src/server/storage/database.ts";
import {
  type RawAgentOptions,
  RawHttpAgent,
  RawWebSocketAgent,
  type Report,
} from "../../support/raw-agent.ts";
import { tempDir } from "../../support/temp-dir.ts";
import { LogBook, pushConfiguration, startTestServer, type TestServer, yaml } from "./test-server.ts";

const { RemoteConfigStatuses_APPLIED: APPLIED, RemoteConfigStatuses_FAILED: FAILED } = RemoteConfigStatuses;
const a = yaml("receivers: {a: }\n");
const b = yaml("receivers: {b: }\n");

const answered = (configuration: Configuration, status: number, errorMessage = ""): Report => ({
  remoteConfigStatus: { lastRemoteConfigHash: configuration.hash, status, errorMessage },
});

const offeredHash = (message: ServerToAgent) =>
  message.remoteConfig && Buffer.from(message.remoteConfig.configHash).toString("hex");

const onDisk = () => {
  const storage = { directory: tempDir(), postgresUrl: undefined };
  return () => startTestServer({ storage });
};

async function join({ server }: TestServer, options: RawAgentOptions = {}, report: Report = {}) {
  const joined = await RawWebSocketAgent.join(server.opampUrl, options, report);
  onTestFinished(() => joined.agent.socket.terminate());
  return joined;
}

/** The same HTTP Agent, which now reaches another server. */
function moved(agent: RawHttpAgent, { server }: TestServer): RawHttpAgent {
  const there = new RawHttpAgent(server.opampUrl, { uid: agent.speaker.uid });
  there.speaker.sequence = agent.speaker.sequence;
  return there;
}

describe("after a restart of the server", () => {
  it("Agents are known before they come back, with all they reported, as gone", async () => {
    const start = onDisk();
    const before = await start();
    const attributes = { "service.name": "x", env: "prod" };
    const effectiveConfig = {
      configMap: { configMap: { "": { body: new TextEncoder().encode("receivers:\n") } } },
    };
    const { agent } = await join(before, { attributes }, { effectiveConfig, health: { healthy: false } });
    const id = formatInstanceUid(agent.speaker.uid);
    const was = before.server.fleet.get(id)!;
    await before.stop();
    const after = await start();
    const is = after.server.fleet.get(id)!;
    expect(is).toMatchObject({ labels: attributes, firstSeen: was.firstSeen, transport: "websocket" });
    expect(is.presence.t).toBe("gone");
    expect(is.state).toEqual(was.state);
  });

  it("an Agent is offered what it is due, pushed before or after", async () => {
    const start = onDisk();
    const before = await start();
    const { agent } = await join(before);
    await agent.close();
    await pushConfiguration(before.server, everyAgent, a);
    await before.stop();
    const after = await start();
    const back = await join(after, { uid: agent.speaker.uid });
    expect(offeredHash(back.answer)).toBe(a.hashHex);
    await pushConfiguration(after.server, everyAgent, b);
    expect(offeredHash(await back.agent.receive())).toBe(b.hashHex);
  });

  it.each([
    ["APPLIED", APPLIED],
    ["FAILED", FAILED],
  ])("an Agent is not offered again what it answered with %s (SC1, SC3)", async (_name, status) => {
    const start = onDisk();
    const before = await start();
    await pushConfiguration(before.server, everyAgent, a);
    const { agent } = await join(before);
    await agent.exchange(answered(a, status));
    await before.stop();
    const after = await start();
    const back = await join(after, { uid: agent.speaker.uid }, answered(a, status));
    expect(offeredHash(back.answer)).toBeUndefined();
  });

  it("an Agent is not offered again what it refused, although it names what it ran before (SC3)", async () => {
    const start = onDisk();
    const before = await start();
    await pushConfiguration(before.server, everyAgent, b);
    const { agent } = await join(before);
    await agent.exchange(answered(b, FAILED));
    await agent.exchange(answered(a, APPLIED));
    await before.stop();
    const after = await start();
    const back = await join(after, { uid: agent.speaker.uid }, answered(a, APPLIED));
    expect(offeredHash(back.answer)).toBeUndefined();
  });

  it("an Agent on plain HTTP goes on where it was and is not asked for all it said (SS1)", async () => {
    const start = onDisk();
    const before = await start();
    await pushConfiguration(before.server, everyAgent, a);
    const agent = new RawHttpAgent(before.server.opampUrl);
    await agent.exchange(agent.speaker.full({}));
    await agent.exchange(answered(a, APPLIED));
    // Nothing but a heartbeat: its number has to be kept as well.
    await agent.exchange({});
    await before.stop();
    const there = moved(agent, await start());
    const answer = await there.exchange({});
    expect(answer.flags).toBe(0n);
    expect(offeredHash(answer)).toBeUndefined();
  });

  it("the history of an Agent says what it was offered and what it answered", async () => {
    const directory = tempDir();
    const before = await startTestServer({ storage: { directory, postgresUrl: undefined } });
    const { agent } = await join(before);
    await pushConfiguration(before.server, everyAgent, a);
    await agent.receive();
    await agent.exchange(answered(a, APPLIED));
    before.clock.advance(500);
    // Both within the second in which changes are collected.
    await pushConfiguration(before.server, everyAgent, b);
    await agent.receive();
    await agent.exchange(answered(b, FAILED, "no such receiver"));
    await before.stop();
    const database = await openDatabase(
      { directory, postgresUrl: undefined },
      { clock: systemClock, log: new LogBook() },
    );
    onTestFinished(() => database.close());
    expect(await offersOf(database.query, formatInstanceUid(agent.speaker.uid))).toMatchObject([
      { number: 2, lane: "configuration", hash: b.hashHex, answer: "FAILED", error: "no such receiver" },
      { number: 1, lane: "configuration", hash: a.hashHex, answer: "APPLIED", error: "" },
    ]);
  });
});
