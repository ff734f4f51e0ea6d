import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { AgentCapability } from "../../../../src/opamp/bits.ts";
import type { Reply } from "../../../support/scripted-opamp-server.ts";
import { effectiveConfig, everyReport, health, makeSession, startServer, uidB } from "./session-fixture.ts";

const fine: Reply = { message: {} };

describe("AgentSession over plain HTTP", () => {
  it("AH1 AH2 AH3 AH4 AH14 sends what the transport asks for", async () => {
    const server = await startServer();
    server.reply = () => ({ message: { capabilities: 9n }, gzip: true });
    const fixture = makeSession(server.url("http"));
    fixture.state.set("effectiveConfig", effectiveConfig("x".repeat(50_000)));
    fixture.session.start();
    const first = await server.next();
    expect(first.headers).toMatchObject({
      "content-type": "application/x-protobuf",
      "content-encoding": "gzip",
      "accept-encoding": "gzip",
      "opamp-instance-uid": "0a0a0a0a-0a0a-0a0a-0a0a-0a0a0a0a0a0a",
    });
    expect(first.size).toBeLessThan(1_000);
    expect(first.message.effectiveConfig?.configMap?.configMap[""]?.body).toHaveLength(50_000);
    await fixture.event("message");
    expect(fixture.session.serverCapabilities).toBe(9n);
    fixture.state.set("health", health({}));
    expect((await server.next()).headers["content-encoding"]).toBeUndefined();
  });

  it.each([500, 401, 404])("P4 AE5 D8 loses nothing when the first report meets HTTP %s", async (status) => {
    const server = await startServer();
    server.reply = () => ({ status });
    const fixture = makeSession(server.url("http"));
    fixture.session.start();
    await server.next();
    const { error, retryInMs } = await fixture.event("failed");
    expect(error).toContain(String(status));
    expect(retryInMs).toBe(2000);
    server.reply = () => fine;
    fixture.clock.advance(2000);
    const { message } = await server.next();
    expect(message).toMatchObject({ sequenceNum: 1n, health: { status: "ok" } });
    expect(message.agentDescription).toBeDefined();
    await fixture.event("connected");
  });

  it("P11 AT14 sends only what was not answered after a later failure", async () => {
    const server = await startServer();
    const fixture = makeSession(server.url("http"));
    fixture.session.start();
    await server.next();
    await fixture.event("message");
    server.reply = () => "drop";
    fixture.state.set("health", health({ status: "new" }));
    await server.next();
    await fixture.event("disconnected");
    server.reply = () => fine;
    fixture.clock.advance(2000);
    await server.until(() => server.unread.some(({ message }) => message.sequenceNum === 2n));
    const again = server.unread.find(({ message }) => message.sequenceNum === 2n)?.message;
    expect(again?.health?.status).toBe("new");
    expect(again?.agentDescription).toBeUndefined();
    await fixture.event("connected", 2);
  });

  it.each([
    [503, undefined, 30_000],
    [429, "90", 90_000],
    [503, "Thu, 01 Jan 2026 00:02:00 GMT", 120_000],
  ])("AH12 AH13 D12 waits after HTTP %s with Retry-After %s", async (status, value, wait) => {
    const server = await startServer();
    const headers: Record<string, string> = value === undefined ? {} : { "Retry-After": value };
    server.reply = () => ({ status, headers });
    const fixture = makeSession(server.url("http"), { settings: { heartbeatIntervalMs: 1_000 } });
    fixture.session.start();
    await server.next();
    expect((await fixture.event("failed")).retryInMs).toBe(wait);
    fixture.state.set("health", health({ status: "changed" }));
    fixture.clock.advance(wait - 1);
    expect(fixture.clock.pending).toEqual([1]);
    server.reply = () => fine;
    fixture.clock.advance(1);
    expect((await server.next()).message).toMatchObject({ sequenceNum: 1n, health: { status: "changed" } });
    await fixture.event("connected");
  });

  it("AH10 D8 stays connected after HTTP 413 and leaves out what made the request large", async () => {
    const server = await startServer();
    const fixture = makeSession(server.url("http"));
    fixture.state.set("effectiveConfig", effectiveConfig("abcdefgh".repeat(100)));
    server.reply = ({ message }) => (message.effectiveConfig === undefined ? fine : { status: 413 });
    fixture.session.start();
    await server.next();
    const { message } = await server.next();
    expect(message.effectiveConfig).toBeUndefined();
    expect(message.agentDescription).toBeDefined();
    await fixture.event("message");
    expect(fixture.events.map(({ t }) => t)).toEqual(["connected", "message"]);
    expect(fixture.logs).toContainEqual(
      expect.objectContaining({ event: "report_too_large", level: "error" }),
    );
    fixture.clock.advance(30_000);
    expect((await server.next()).message.effectiveConfig).toBeUndefined();
  });

  it("AH7 has one request in flight at a time", async () => {
    const server = await startServer();
    server.reply = () => "silence";
    const fixture = makeSession(server.url("http"));
    fixture.session.start();
    await server.next();
    fixture.state.set("health", health({ status: "late" }));
    fixture.clock.advance(29_999);
    server.reply = () => fine;
    server.dropAll();
    await fixture.event("failed");
    expect(server.unread).toEqual([]);
    fixture.clock.advance(2000);
    expect((await server.next()).message.health?.status).toBe("late");
  });

  it("AH11 leaves half of the time to stop for the good-bye when a request hangs", async () => {
    const server = await startServer();
    server.reply = () => "silence";
    const fixture = makeSession(server.url("http"));
    fixture.session.start();
    await server.next();
    const stopping = fixture.session.stop(2_000);
    server.reply = () => fine;
    fixture.clock.advance(1_000);
    expect((await server.next()).message.agentDisconnect).toBeDefined();
    await stopping;
    expect(fixture.clock.pending).toEqual([]);
  });

  it.each([
    ["plain", (body: Uint8Array): Reply => ({ bytes: body })],
    [
      "gzip",
      (body: Uint8Array): Reply => ({ bytes: gzipSync(body), headers: { "content-encoding": "gzip" } }),
    ],
  ])("AH8 refuses an answer above the limit: %s", async (_name, reply) => {
    const server = await startServer();
    server.reply = () => reply(new Uint8Array(100_001));
    const fixture = makeSession(server.url("http"), { settings: { maxMessageBytes: 100_000 } });
    fixture.session.start();
    await server.next();
    expect((await fixture.event("failed")).error).toContain("limit of 100000 bytes");
  });

  it.each<[string, Reply, RegExp]>([
    [
      "a page of text",
      { bytes: Buffer.from("<html>"), headers: { "content-type": "text/html" } },
      /text\/html/,
    ],
    ["broken gzip", { bytes: Buffer.from("x"), headers: { "content-encoding": "gzip" } }, /./],
    ["an unknown encoding", { bytes: Buffer.from("x"), headers: { "content-encoding": "br" } }, /br/],
    ["an answer for another agent", { message: { instanceUid: uidB } }, /another instance uid/],
    ["a cut connection", "drop", /./],
  ])("backs off after %s", async (_name, reply, text) => {
    const server = await startServer();
    server.reply = () => reply;
    const fixture = makeSession(server.url("http"));
    fixture.session.start();
    await server.next();
    const failed = await fixture.event("failed");
    expect(failed.error).toMatch(text);
    expect(failed.retryInMs).toBe(2000);
    server.reply = () => fine;
    fixture.clock.advance(2000);
    await fixture.event("connected");
  });

  it("P9 does not follow a redirect to another host, and names it", async () => {
    const server = await startServer();
    const other = await startServer();
    const Location = other.url("http").href.replace("127.0.0.1", "localhost");
    server.reply = () => ({ status: 308, headers: { Location } });
    const fixture = makeSession(server.url("http"), {
      settings: { headers: () => ({ Authorization: "secret" }) },
    });
    fixture.session.start();
    expect((await fixture.event("failed")).error).toContain(`localhost:${other.port}`);
    expect(other.received).toEqual([]);
  });

  it("AH6 D1 polls without the heartbeat bit, and every 30 s when the interval is 0", async () => {
    const server = await startServer();
    const capabilities = everyReport & ~AgentCapability.ReportsHeartbeat;
    const fixture = makeSession(server.url("http"), { capabilities, settings: { heartbeatIntervalMs: 0 } });
    fixture.session.start();
    await server.next();
    await fixture.event("message");
    fixture.clock.advance(30_000);
    expect((await server.next()).message.sequenceNum).toBe(1n);
    await fixture.event("message", 2);
    fixture.session.setHeartbeatInterval(0);
    fixture.clock.advance(30_000);
    expect((await server.next()).message.sequenceNum).toBe(2n);
  });

  it("AH15 goes on over a new connection when the server closed the idle one", async () => {
    const server = await startServer();
    const fixture = makeSession(server.url("http"));
    fixture.session.start();
    await server.next();
    await fixture.event("message");
    server.dropAll();
    fixture.clock.advance(30_000);
    expect((await server.next()).message.sequenceNum).toBe(1n);
    await fixture.event("message", 2);
    expect(fixture.events.map(({ t }) => t)).toEqual(["connected", "message", "message"]);
  });

  it("takes an empty answer for one", async () => {
    const server = await startServer();
    server.reply = () => ({ bytes: new Uint8Array() });
    const fixture = makeSession(server.url("http"));
    fixture.session.start();
    expect(await fixture.event("connected")).toBeDefined();
  });
});
