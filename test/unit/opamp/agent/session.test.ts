import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import {
  AgentCapability,
  AgentToServerFlag,
  ServerCapability,
  ServerToAgentFlag,
} from "../../../../src/opamp/bits.ts";
import {
  ConnectionSettingsRequestSchema,
  CustomCapabilitiesSchema,
  CustomMessageSchema,
  ServerErrorResponseType,
} from "../../../../src/opamp/messages.ts";
import {
  connect,
  content,
  effectiveConfig,
  everyReport,
  health,
  makeSession,
  retryDue,
  startServer,
  uidA,
  uidB,
} from "./session-fixture.ts";

const {
  ServerErrorResponseType_BadRequest: badRequest,
  ServerErrorResponseType_Unavailable: unavailable,
  ServerErrorResponseType_Unknown: unknown,
} = ServerErrorResponseType;

describe.each(["ws", "http"] as const)("AgentSession over %s", (transport) => {
  /** Close codes that the server sees when the agent leaves. */
  const closes = transport === "ws" ? [1000] : [];

  it("AT3 AT4 AT8 AS1 AS3 reports everything first, then what changed meanwhile", async () => {
    const server = await startServer();
    const fixture = makeSession(server.url(transport));
    server.reply = () => {
      fixture.state.set("health", health({ status: "late" }));
      return { message: { capabilities: ServerCapability.AcceptsStatus } };
    };
    fixture.session.start();
    const first = (await server.next()).message;
    expect(content(first)).toEqual(["agentDescription", "health"]);
    expect(first).toMatchObject({ sequenceNum: 0n, instanceUid: uidA, flags: 0n, health: { status: "ok" } });
    expect(first.capabilities).toBe(everyReport | AgentCapability.ReportsStatus);
    const second = (await server.next()).message;
    expect(second).toMatchObject({ sequenceNum: 1n, health: { status: "late" } });
    expect(content(second)).toEqual(["health"]);
    expect(fixture.events[0]).toEqual({ t: "connected" });
    expect(fixture.session.serverCapabilities).toBe(ServerCapability.AcceptsStatus);
  });

  it("AT5 AT13 does not answer an answer, and sends changes made together in one message", async () => {
    const server = await startServer();
    const fixture = makeSession(server.url(transport), {
      onEvent: (event) => {
        if (event.t !== "message" || fixture.events.length > 2) return;
        fixture.state.set("health", health({ status: "one" }));
        fixture.state.set("health", health({ status: "two" }));
        fixture.state.set("effectiveConfig", effectiveConfig("a"));
      },
    });
    await connect(server, fixture);
    const second = (await server.next()).message;
    expect(content(second)).toEqual(["health", "effectiveConfig"]);
    expect(second.health?.status).toBe("two");
    await fixture.event("message", 2);
    fixture.state.set("health", health({ status: "three" }));
    expect((await server.next()).message).toMatchObject({ sequenceNum: 2n, health: { status: "three" } });
  });

  it("AS4 AS5 sends the full state when told to", async () => {
    const server = await startServer();
    server.reply = ({ message }) => ({
      message: { flags: message.sequenceNum === 0n ? ServerToAgentFlag.ReportFullState : 0n },
    });
    const fixture = makeSession(server.url(transport));
    await connect(server, fixture);
    expect(content((await server.next()).message)).toEqual(["agentDescription", "health"]);
  });

  it("AT5 does not let a server that always asks for the full state make it a message loop", async () => {
    const server = await startServer();
    server.reply = () => ({ message: { flags: ServerToAgentFlag.ReportFullState } });
    const fixture = makeSession(server.url(transport), { settings: { heartbeatIntervalMs: 3_600_000 } });
    fixture.session.start();
    await fixture.event("message", 6);
    // Nothing was sent in turn: the next demand waits for its time.
    await new Promise((resolve) => setImmediate(resolve));
    expect(fixture.clock.pending).toContain(30_000);
    expect(server.received).toHaveLength(6);
    fixture.clock.advance(30_000);
    await fixture.event("message", 7);
  });

  it("AI2 AI3 AI4 P8 switches to an assigned uid at once and introduces itself again", async () => {
    const server = await startServer();
    server.reply = ({ message }) => ({
      message: message.flags === 0n ? {} : { agentIdentification: { newInstanceUid: uidB } },
    });
    const fixture = makeSession(server.url(transport), {
      requestInstanceUid: true,
      onEvent: (event) => {
        if (event.t === "uid") fixture.state.set("health", health({ status: "renamed" }));
      },
    });
    fixture.session.start();
    expect((await server.next()).message.flags).toBe(AgentToServerFlag.RequestInstanceUid);
    const { message, headers } = await server.next();
    expect(message).toMatchObject({
      instanceUid: uidB,
      flags: 0n,
      sequenceNum: 1n,
      health: { status: "renamed" },
    });
    expect(content(message)).toEqual(["agentDescription", "health"]);
    const header = transport === "http" ? "0b0b0b0b-0b0b-0b0b-0b0b-0b0b0b0b0b0b" : undefined;
    expect(headers["opamp-instance-uid"]).toBe(header);
    expect(await fixture.event("uid")).toEqual({ t: "uid", uid: uidB });
  });

  it.each([new Uint8Array(16), new Uint8Array(15).fill(1)])(
    "AI5 goes on with its uid when the new one is unusable",
    async (newInstanceUid) => {
      const server = await startServer();
      server.reply = () => ({ message: { agentIdentification: { newInstanceUid } } });
      const fixture = makeSession(server.url(transport), { requestInstanceUid: true });
      await connect(server, fixture);
      fixture.state.set("health", health({}));
      const { message } = await server.next();
      expect(message).toMatchObject({ instanceUid: uidA, flags: AgentToServerFlag.RequestInstanceUid });
      expect(fixture.events.map(({ t }) => t)).not.toContain("uid");
    },
  );

  it("AT10 AX5 AN1 hands on only the parts whose capability was announced", async () => {
    const server = await startServer();
    const offer = {
      remoteConfig: { configHash: new Uint8Array([1]) },
      packagesAvailable: { allPackagesHash: new Uint8Array([1]) },
      connectionSettings: { hash: new Uint8Array([1]), opamp: {}, ownMetrics: {} },
      customMessage: { capability: "not.ours" },
      command: {},
    };
    server.reply = () => ({ message: offer });
    const fixture = makeSession(server.url(transport));
    await connect(server, fixture);
    const nothing = (await fixture.event("message")).message;
    expect(
      Object.keys(nothing).filter((key) => key in offer && nothing[key as keyof typeof nothing]),
    ).toEqual([]);

    const { AcceptsRemoteConfig, ReportsOwnMetrics, AcceptsRestartCommand } = AgentCapability;
    fixture.state.setCapabilities(AcceptsRemoteConfig | ReportsOwnMetrics);
    const some = (await fixture.event("message", 2)).message;
    expect(some.remoteConfig?.configHash).toEqual(new Uint8Array([1]));
    expect(some.connectionSettings).toMatchObject({ hash: new Uint8Array([1]), ownMetrics: {} });
    expect(some.connectionSettings?.opamp).toBeUndefined();
    expect(some.packagesAvailable).toBeUndefined();

    fixture.state.setCapabilities(AcceptsRemoteConfig | AcceptsRestartCommand);
    const command = (await fixture.event("message", 3)).message;
    expect(command.command).toBeDefined();
    expect(command.remoteConfig).toBeUndefined();
  });

  it.each([
    ["AE2", badRequest],
    ["AE3", unknown],
  ])("AE1 %s P16 neither hands on a message with an error nor sends its content again", async (_id, type) => {
    const server = await startServer();
    const fixture = makeSession(server.url(transport), {
      capabilities: everyReport | AgentCapability.AcceptsRemoteConfig,
    });
    await connect(server, fixture);
    server.reply = () => ({
      message: { errorResponse: { type, errorMessage: "bad health" }, remoteConfig: {} },
    });
    fixture.state.set("health", health({ status: "refused" }));
    await server.next();
    await fixture.until(() => fixture.logs.some(({ event }) => event === "message_refused"));
    server.reply = () => ({ message: {} });
    fixture.state.set("effectiveConfig", effectiveConfig("a"));
    expect(content((await server.next()).message)).toEqual(["effectiveConfig"]);
    await fixture.event("message", 2);
    expect(fixture.events.map(({ t }) => t)).toEqual(["connected", "message", "message"]);
    expect(fixture.logs.find(({ event }) => event === "message_refused")?.error).toContain("bad health");
  });

  it("AW13 AE4 P2 stays away as long as UNAVAILABLE asks, without heartbeats, and loses nothing", async () => {
    const server = await startServer();
    const fixture = makeSession(server.url(transport), { settings: { heartbeatIntervalMs: 10_000 } });
    await connect(server, fixture);
    server.reply = () => ({
      message: {
        errorResponse: {
          type: unavailable,
          details: { case: "retryInfo", value: { retryAfterNanoseconds: 60_000_000_000n } },
        },
      },
    });
    fixture.state.set("health", health({ status: "later" }));
    await server.next();
    const { reason } = await fixture.event("disconnected");
    expect(reason).toContain("unavailable");
    await server.until(() => server.closes.length === closes.length);
    expect(server.closes).toEqual(closes);
    const farewells = server
      .takeUnread()
      .map(({ message: farewell }) => farewell.agentDisconnect !== undefined);
    expect(farewells).toEqual(closes.map(() => true));
    server.reply = () => ({ message: {} });
    await retryDue(fixture, 60_000);
    fixture.clock.advance(59_999);
    expect(fixture.clock.pending).toEqual([1]);
    fixture.clock.advance(1);
    const { message } = await server.next();
    expect(message.health?.status).toBe("later");
    await fixture.event("connected", 2);
  });

  it("AW11 AH5 AI6 AN10 beats when nothing was sent for an interval, with nothing but its identity", async () => {
    const server = await startServer();
    const fixture = makeSession(server.url(transport));
    await connect(server, fixture);
    fixture.clock.advance(20_000);
    fixture.state.set("health", health({ status: "new" }));
    await server.next();
    await fixture.event("message", 2);
    fixture.clock.advance(29_999);
    expect(server.unread).toEqual([]);
    fixture.clock.advance(1);
    const { message } = await server.next();
    expect(content(message)).toEqual([]);
    expect(message).toMatchObject({ instanceUid: uidA, sequenceNum: 2n, flags: 0n });
    expect(message.capabilities).toBe(fixture.state.capabilities);
    await fixture.event("message", 3);
    fixture.session.setHeartbeatInterval(1_000);
    fixture.clock.advance(1_000);
    expect((await server.next()).message.sequenceNum).toBe(3n);
  });

  it("AX4 sends what we announced to a server that never announced any list", async () => {
    const server = await startServer();
    const fixture = makeSession(server.url(transport));
    const capabilities = ["org.ours/1"];
    fixture.state.set("customCapabilities", create(CustomCapabilitiesSchema, { capabilities }));
    await connect(server, fixture);
    const message = create(CustomMessageSchema, { capability: "org.ours/1", type: "x" });
    expect(fixture.session.sendCustomMessage(message)).toBe("queued");
    expect((await server.next()).message.customMessage?.capability).toBe("org.ours/1");
  });

  it("AX4 SX2 sends custom messages one at a time, only what both sides announced, and reports a full queue", async () => {
    const server = await startServer();
    server.reply = () => ({
      message: { customCapabilities: { capabilities: ["org.example/1", "org.theirs/1"] } },
    });
    const fixture = makeSession(server.url(transport));
    const ours = ["org.example/1", "org.ours/1"];
    fixture.state.set("customCapabilities", create(CustomCapabilitiesSchema, { capabilities: ours }));
    const send = (capability: string, type = "") =>
      fixture.session.sendCustomMessage(create(CustomMessageSchema, { capability, type }));
    await connect(server, fixture);
    expect(send("org.theirs/1")).toBe("unsupported");
    expect(send("org.ours/1")).toBe("unsupported");
    const types = "0123456789".split("");
    for (const type of types) expect(send("org.example/1", type)).toBe("queued");
    expect(send("org.example/1", "one too many")).toBe("full");
    for (const type of types) {
      const { message } = await server.next();
      expect(message.customMessage).toMatchObject({ capability: "org.example/1", type });
      expect(content(message)).toEqual(["customMessage"]);
    }
  });

  it("AN19 AN20 asks for a certificate only if the server issues them", async () => {
    const server = await startServer();
    server.reply = () => ({ message: { capabilities: ServerCapability.AcceptsStatus } });
    const fixture = makeSession(server.url(transport));
    await connect(server, fixture);
    const csr = new Uint8Array([1]);
    const request = create(ConnectionSettingsRequestSchema, { opamp: { certificateRequest: { csr } } });
    const ask = () => fixture.session.requestConnectionSettings(request);
    expect(ask()).toBe("unsupported");
    const capabilities = ServerCapability.AcceptsStatus | ServerCapability.AcceptsConnectionSettingsRequest;
    server.reply = () => ({ message: { capabilities } });
    fixture.state.set("health", health({}));
    await server.next();
    await fixture.event("message", 2);
    expect(ask()).toBe("queued");
    expect(content((await server.next()).message)).toEqual(["connectionSettingsRequest"]);
  });

  it("AW5 AH9 leaves out what makes a message too large, and tells of it", async () => {
    const server = await startServer();
    const fixture = makeSession(server.url(transport), { settings: { maxMessageBytes: 1000 } });
    fixture.state.set("effectiveConfig", effectiveConfig(new Uint8Array(2000)));
    await connect(server, fixture);
    expect(content(server.received[0]!.message)).toEqual(["agentDescription", "health"]);
    expect(fixture.logs).toContainEqual(
      expect.objectContaining({ event: "report_too_large", kind: "effectiveConfig" }),
    );
    fixture.state.set("effectiveConfig", effectiveConfig("short"));
    expect(content((await server.next()).message)).toEqual(["effectiveConfig"]);
  });
});
