import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { create } from "@bufbuild/protobuf";
import { describe, expect, it, onTestFinished } from "vitest";
import type { WebSocket } from "ws";
import { AgentCapability } from "../../../../src/opamp/bits.ts";
import { CustomCapabilitiesSchema, CustomMessageSchema } from "../../../../src/opamp/messages.ts";
import { freePort } from "../../../support/free-port.ts";
import type { ScriptedOpampServer } from "../../../support/scripted-opamp-server.ts";
import {
  connect,
  content,
  effectiveConfig,
  everyReport,
  health,
  makeSession,
  startServer,
  uidA,
  uidB,
} from "./session-fixture.ts";

/** After a ping and its pong, all that the agent sent before has arrived. */
async function settle(server: ScriptedOpampServer): Promise<void> {
  for (const socket of server.webSockets as Set<WebSocket>) {
    const pong = once(socket, "pong");
    socket.ping();
    await pong;
  }
}

describe("AgentSession over WebSocket", () => {
  it("AT3 says nothing more until the first message was answered", async () => {
    const server = await startServer();
    server.reply = () => "silence";
    const fixture = makeSession(server.url("ws"));
    fixture.session.start();
    await server.next();
    fixture.state.set("health", health({ status: "late" }));
    fixture.clock.advance(29_999);
    await settle(server);
    expect(server.unread).toEqual([]);
    server.push({ instanceUid: uidA });
    expect((await server.next()).message.health?.status).toBe("late");
  });

  it("AW8 AW10 D10 AS1 reconnects at once after a break, with the full state and the next number", async () => {
    const server = await startServer();
    const fixture = makeSession(server.url("ws"));
    await connect(server, fixture);
    fixture.clock.advance(5_000);
    server.dropAll();
    const { message, connection } = await server.next();
    expect(connection).toBe(2);
    expect(message).toMatchObject({ sequenceNum: 1n, health: { status: "ok" } });
    expect(message.agentDescription).toBeDefined();
    await fixture.event("connected", 2);
    expect(fixture.events.map(({ t }) => t)).toEqual([
      "connected",
      "message",
      "disconnected",
      "connected",
      "message",
    ]);
  });

  it("P1 does not hurry back to a server that answers and closes", async () => {
    const server = await startServer();
    const fixture = makeSession(server.url("ws"));
    fixture.session.start();
    const waits: number[] = [];
    for (const attempt of [1, 2, 3, 4]) {
      await fixture.event("connected", attempt);
      server.dropAll();
      await fixture.event("disconnected", attempt);
      const wait = fixture.clock.pending[0]!;
      waits.push(wait);
      fixture.clock.advance(wait);
    }
    expect(waits).toEqual([2000, 4000, 8000, 16_000]);
  });

  it("P1 does not hurry back to a server that accepts and closes", async () => {
    const server = await startServer();
    server.onAccept = (socket) => socket.close(1011, "not now");
    const fixture = makeSession(server.url("ws"));
    fixture.session.start();
    const first = await fixture.event("failed");
    expect(first).toMatchObject({ retryInMs: 2000, error: expect.stringContaining("1011: not now") });
    fixture.clock.advance(2000);
    expect((await fixture.event("failed", 2)).retryInMs).toBe(4000);
  });

  it("AW9 keeps trying while nothing listens, and then connects", async () => {
    const server = await startServer();
    const url = server.url("ws");
    url.port = String(await freePort());
    const fixture = makeSession(url);
    fixture.session.start();
    expect((await fixture.event("failed")).retryInMs).toBe(2000);
    fixture.clock.advance(2000);
    expect((await fixture.event("failed", 2)).retryInMs).toBe(4000);
    expect(fixture.logs.at(-1)).toMatchObject({ event: "server_connection_failed", retry_in_ms: 4000 });
  });

  it("says little of a server that is away for a month, and goes on trying", async () => {
    const url = new URL(`ws://127.0.0.1:${await freePort()}/v1/opamp`);
    const fixture = makeSession(url);
    fixture.session.start();
    const attempts = 300;
    for (let nth = 1; nth <= attempts; nth += 1) {
      const { retryInMs } = await fixture.event("failed", nth);
      expect(retryInMs).toBeLessThanOrEqual(30_000);
      fixture.clock.advance(retryInMs);
    }
    // 300 attempts at 30 s are two hours and a half.
    const told = fixture.logs.filter(({ event }) => event === "server_connection_failed");
    expect(told.length).toBeLessThan(14);
    expect(fixture.logs.length).toBe(told.length);
    expect(told.slice(0, 4).map(({ attempt }) => attempt)).toEqual([1, 2, 4, 8]);
    expect(told.at(-1)).toMatchObject({
      attempt: expect.any(Number),
      error: expect.stringMatching(/REFUSED/),
    });
  });

  it("gives up on a handshake that takes too long", async () => {
    const accepted: Array<{ destroy(): void }> = [];
    const mute = createServer((socket) => accepted.push(socket)).listen(0, "127.0.0.1");
    onTestFinished(async () => {
      for (const socket of accepted) socket.destroy();
      mute.close();
      await once(mute, "close");
    });
    await once(mute, "listening");
    const fixture = makeSession(new URL(`ws://127.0.0.1:${(mute.address() as AddressInfo).port}/`));
    fixture.session.start();
    await once(mute, "connection");
    fixture.clock.advance(30_000);
    expect((await fixture.event("failed")).error).toContain("handshake");
  });

  it.each([
    ["60", 60_000],
    ["Thu, 01 Jan 2026 00:02:00 GMT", 120_000],
    [undefined, 30_000],
  ])("AW14 AH12 waits as a refused upgrade asks: Retry-After %s", async (value, wait) => {
    const server = await startServer();
    server.refuseUpgrade = () => ({
      status: 503,
      ...(value === undefined ? {} : { headers: { "Retry-After": value } }),
    });
    const fixture = makeSession(server.url("ws"));
    fixture.session.start();
    expect((await fixture.event("failed")).retryInMs).toBe(wait);
    server.refuseUpgrade = undefined;
    fixture.clock.advance(wait - 1);
    expect(fixture.clock.pending).toEqual([1]);
    fixture.clock.advance(1);
    await fixture.event("connected");
  });

  it("AE5 says that the credentials were refused, and keeps trying", async () => {
    const server = await startServer();
    server.refuseUpgrade = () => ({ status: 401 });
    const fixture = makeSession(server.url("ws"));
    fixture.session.start();
    expect(await fixture.event("failed")).toMatchObject({
      retryInMs: 2000,
      error: expect.stringContaining("401"),
    });
  });

  it("P9 does not follow a redirect to another host, and names it", async () => {
    const server = await startServer();
    const other = await startServer();
    const Location = `${other.url("ws").href.replace("127.0.0.1", "localhost")}?token=secret`;
    server.refuseUpgrade = () => ({ status: 307, headers: { Location } });
    const fixture = makeSession(server.url("ws"), {
      settings: { headers: () => ({ Authorization: "secret" }) },
    });
    fixture.session.start();
    const { error } = await fixture.event("failed");
    expect(error).toContain(`localhost:${other.port}`);
    expect(error).not.toContain("secret");
    expect(other.upgradeHeaders).toEqual([]);
  });

  it.each([
    ["a text frame", "hello", 1003, "text frame"],
    ["AW2 a header that is not 0", new Uint8Array([1, 0]), 1007, "header is not 0"],
    ["a frame that does not parse", new Uint8Array([0, 0x0a, 0x7f]), 1007, "ServerToAgent"],
  ])("AW7 leaves with a good-bye on %s, and comes back", async (_name, data, code, reason) => {
    const server = await startServer();
    const fixture = makeSession(server.url("ws"));
    await connect(server, fixture);
    fixture.clock.advance(5_000);
    server.pushRaw(data);
    expect((await server.next()).message.agentDisconnect).toBeDefined();
    expect((await fixture.event("disconnected")).reason).toContain(reason);
    await server.until(() => server.closes.length === 1);
    expect(server.closes).toEqual([code]);
    await fixture.event("connected", 2);
    expect(fixture.logs).toContainEqual(
      expect.objectContaining({ event: "server_disconnected", level: "warn" }),
    );
  });

  it("AW6 has one connection at a time: it waits for the old one to close, within bounds", async () => {
    const server = await startServer();
    const fixture = makeSession(server.url("ws"));
    await connect(server, fixture);
    fixture.clock.advance(5_000);
    for (const socket of server.webSockets) socket.pause();
    server.pushRaw("hello");
    await fixture.event("disconnected");
    expect(fixture.clock.pending).toEqual([5_000]);
    fixture.clock.advance(5_000);
    await fixture.event("connected", 2);
    expect(server.connections).toBe(2);
  });

  it("does not wait for an old connection to close when it is stopped", async () => {
    const server = await startServer();
    const fixture = makeSession(server.url("ws"));
    await connect(server, fixture);
    for (const socket of server.webSockets) socket.pause();
    server.pushRaw("hello");
    await fixture.event("disconnected");
    await fixture.session.stop();
    expect(fixture.clock.pending).toEqual([]);
  });

  it("AW12 hears what the server says unasked, and may say several things because of it", async () => {
    const server = await startServer();
    server.reply = () => ({ message: { customCapabilities: { capabilities: ["org.example"] } } });
    const fixture = makeSession(server.url("ws"), {
      onEvent: (event) => {
        if (event.t !== "message" || event.message.flags === 0n) return;
        fixture.state.set("health", health({ status: `asked ${event.message.flags}` }));
        const message = create(CustomMessageSchema, { capability: "org.example" });
        fixture.session.sendCustomMessage(message);
      },
    });
    const capabilities = ["org.example"];
    fixture.state.set("customCapabilities", create(CustomCapabilitiesSchema, { capabilities }));
    await connect(server, fixture);
    // Bits that no agent knows.
    for (const flags of [64n, 128n]) server.push({ flags });
    const said: string[] = [];
    while (said.length < 3) said.push(...content((await server.next()).message));
    await fixture.until(() => fixture.events.filter(({ t }) => t === "message").length >= 3);
    expect(said).toEqual(expect.arrayContaining(["health", "customMessage", "customMessage"]));
    expect(server.connections).toBe(1);
  });

  it("AT13 keeps only the newest state for a server that does not read", async () => {
    const server = await startServer();
    const fixture = makeSession(server.url("ws"), { settings: { maxMessageBytes: 2_000_000 } });
    await connect(server, fixture);
    for (const socket of server.webSockets) socket.pause();
    const changes = 40;
    for (let change = 1; change <= changes; change += 1) {
      fixture.state.set("effectiveConfig", effectiveConfig(new Uint8Array(1_000_000).fill(change)));
      await new Promise((resolve) => setImmediate(resolve));
    }
    for (const socket of server.webSockets) socket.resume();
    const body = () => server.received.at(-1)?.message.effectiveConfig?.configMap?.configMap[""]?.body;
    await server.until(() => body()?.[0] === changes);
    expect(server.received.length).toBeLessThan(changes);
  });

  it.each([false, true])("AW4 P3 refuses a message above the limit, compressed: %s", async (deflate) => {
    const server = await startServer({ deflate });
    const fixture = makeSession(server.url("ws"), { settings: { maxMessageBytes: 100_000 } });
    await connect(server, fixture);
    expect(server.upgradeHeaders[0]?.["sec-websocket-extensions"]).toContain("permessage-deflate");
    server.push({ instanceUid: uidA, customMessage: { data: new Uint8Array(99_000) } });
    await fixture.event("message", 2);
    server.push({ instanceUid: uidA, customMessage: { data: new Uint8Array(100_000) } });
    await fixture.event("disconnected");
    await server.until(() => server.closes.length === 1);
    expect(server.closes).toEqual([1009]);
    expect(fixture.events.filter(({ t }) => t === "message")).toHaveLength(2);
  });

  it("sends and reads compressed messages", async () => {
    const server = await startServer({ deflate: true });
    const fixture = makeSession(server.url("ws"));
    fixture.state.set("effectiveConfig", effectiveConfig("x".repeat(50_000)));
    fixture.session.start();
    const { message } = await server.next();
    expect(message.effectiveConfig?.configMap?.configMap[""]?.body).toHaveLength(50_000);
    await fixture.event("message");
  });

  it("AI7 P16 ignores a message for another agent, whatever it says", async () => {
    const server = await startServer();
    const fixture = makeSession(server.url("ws"));
    await connect(server, fixture);
    server.push({ instanceUid: uidB, agentIdentification: { newInstanceUid: uidB }, flags: 1n });
    server.push({ instanceUid: uidA, capabilities: 9n });
    expect((await fixture.event("message", 2)).message.capabilities).toBe(9n);
    expect(fixture.state.instanceUid).toEqual(uidA);
    await settle(server);
    expect(server.unread).toEqual([]);
  });

  it("AI3 hears the answer to what it sent under its last uid", async () => {
    const server = await startServer();
    const fixture = makeSession(server.url("ws"));
    await connect(server, fixture);
    server.reply = () => "silence";
    fixture.state.set("health", health({ status: "asked" }));
    await server.next();
    fixture.state.adoptInstanceUid(uidB);
    server.push({ instanceUid: uidA, capabilities: 9n });
    expect((await fixture.event("message", 2)).message.capabilities).toBe(9n);
  });

  it.each([
    ["P7 without the ReportsHeartbeat bit", everyReport & ~AgentCapability.ReportsHeartbeat, 10_000],
    ["D1 with an interval of 0", everyReport, 0],
  ])("does not beat %s", async (_name, capabilities, heartbeatIntervalMs) => {
    const server = await startServer();
    const fixture = makeSession(server.url("ws"), { capabilities, settings: { heartbeatIntervalMs } });
    await connect(server, fixture);
    fixture.clock.advance(300_000);
    await settle(server);
    expect(server.unread).toEqual([]);
  });

  it("notices a peer that is gone by the missing answer to a ping", async () => {
    const server = await startServer({ autoPong: false });
    const fixture = makeSession(server.url("ws"), {
      settings: { pingIntervalMs: 20_000, heartbeatIntervalMs: 0 },
    });
    const pinged = new Promise<void>((resolve) => {
      server.onAccept = (socket) => socket.once("ping", () => resolve());
    });
    await connect(server, fixture);
    fixture.clock.advance(20_000);
    await pinged;
    fixture.clock.advance(20_000);
    expect((await fixture.event("disconnected")).reason).toContain("ping");
    await fixture.event("connected", 2);
  });

  it("keeps a peer that answers pings", async () => {
    const server = await startServer();
    const fixture = makeSession(server.url("ws"), {
      settings: { pingIntervalMs: 20_000, heartbeatIntervalMs: 0 },
    });
    await connect(server, fixture);
    for (const _round of [1, 2, 3]) {
      fixture.clock.advance(20_000);
      // The second round trip begins after the server saw our ping, so its pong is here at the end.
      await settle(server);
      await settle(server);
    }
    expect(fixture.events.map(({ t }) => t)).toEqual(["connected", "message"]);
  });

  it("AT14 sends a custom message again whose connection was lost", async () => {
    const server = await startServer();
    server.reply = () => ({ message: { customCapabilities: { capabilities: ["org.example"] } } });
    const fixture = makeSession(server.url("ws"));
    fixture.state.set(
      "customCapabilities",
      create(CustomCapabilitiesSchema, { capabilities: ["org.example"] }),
    );
    await connect(server, fixture);
    fixture.clock.advance(5_000);
    server.reply = () => "drop";
    fixture.session.sendCustomMessage(create(CustomMessageSchema, { capability: "org.example", type: "t" }));
    await server.next();
    server.reply = () => ({ message: {} });
    await server.next();
    expect((await server.next()).message.customMessage?.type).toBe("t");
  });

  it("leaves a dial alone when stopped", async () => {
    const server = await startServer();
    const fixture = makeSession(server.url("ws"));
    fixture.session.start();
    await fixture.session.stop();
    fixture.session.start();
    expect(fixture.clock.pending).toEqual([]);
    expect(fixture.events).toEqual([]);
  });
});
