import { describe, expect, it } from "vitest";
import { connect, content, health, makeSession, retryDue, startServer, uidB } from "./session-fixture.ts";

describe.each(["ws", "http"] as const)("AgentSession over %s", (transport) => {
  /** Close codes that the server sees when the agent leaves. */
  const closes = transport === "ws" ? [1000] : [];

  it("AT15 AH11 P10 says good-bye, with what is still due, and is called no more", async () => {
    const server = await startServer();
    const fixture = makeSession(server.url(transport));
    await connect(server, fixture);
    fixture.state.set("health", health({ status: "stopped" }));
    const stopping = fixture.session.stop();
    expect(fixture.session.stop()).toBe(stopping);
    const { message } = await server.next();
    expect(message.agentDisconnect).toBeDefined();
    expect(message.health?.status).toBe("stopped");
    await stopping;
    expect(fixture.clock.pending).toEqual([]);
    expect(fixture.events.map(({ t }) => t)).toEqual(["connected", "message"]);
    await server.until(() => server.closes.length === closes.length);
    expect(server.closes).toEqual(closes);
  });

  it("P17 can be stopped from within each handler", async () => {
    const server = await startServer();
    server.reply = () => ({ message: { agentIdentification: { newInstanceUid: uidB } } });
    for (const from of ["connected", "uid", "message"] as const) {
      let stopped: Promise<void> | undefined;
      const fixture = makeSession(server.url(transport), {
        onEvent: ({ t }) => {
          if (t === from) stopped = fixture.session.stop();
        },
      });
      fixture.session.start();
      await fixture.event(from);
      await stopped;
      expect(fixture.events.at(-1)?.t).toBe(from);
    }
    const gone = makeSession(server.url(transport), { onEvent: () => void gone.session.stop() });
    server.reply = () => "drop";
    gone.session.start();
    await gone.event("failed");
    await gone.session.stop();
    expect(gone.clock.pending).toEqual([]);
  });

  it("stops within the time it is given when the server hangs", async () => {
    const server = await startServer();
    server.reply = () => "silence";
    const fixture = makeSession(server.url(transport));
    fixture.session.start();
    await server.next();
    for (const ws of server.webSockets) ws.pause();
    const stopping = fixture.session.stop(2_000);
    await Promise.resolve();
    fixture.clock.advance(2_000);
    await stopping;
    expect(fixture.clock.pending).toEqual([]);
  });

  it("AT14 gives up on a first message that is not answered, and sends it again", async () => {
    const server = await startServer();
    server.reply = () => "silence";
    const fixture = makeSession(server.url(transport));
    fixture.session.start();
    await server.next();
    fixture.clock.advance(30_000);
    const { error, retryInMs } = await fixture.event("failed");
    expect(error).toContain("did not answer");
    expect(retryInMs).toBe(2000);
    server.reply = () => ({ message: {} });
    await retryDue(fixture, 2_000);
    fixture.clock.advance(2_000);
    await server.until(() => server.unread.some(({ message }) => message.agentDisconnect === undefined));
    const again = server.unread.find(({ message }) => message.agentDisconnect === undefined);
    expect(content(again!.message)).toEqual(["agentDescription", "health"]);
    await fixture.event("connected");
  });

  it("asks for the headers every time, and keeps the protocol's own", async () => {
    const server = await startServer();
    let asked = 0;
    const headers = () => {
      asked += 1;
      return { Authorization: `Bearer ${asked}`, "content-type": "text/plain", "Sec-WebSocket-Version": "8" };
    };
    server.reply = () => "drop";
    const fixture = makeSession(server.url(transport), { settings: { headers } });
    fixture.session.start();
    await fixture.event("failed");
    server.reply = () => ({ message: {} });
    fixture.clock.advance(2_000);
    await fixture.event("connected");
    const seen = server.received.map(({ headers: received }) => received.authorization);
    expect(seen).toEqual(["Bearer 1", "Bearer 2"]);
    expect(server.received[0]?.headers["content-type"]).toBe(
      transport === "http" ? "application/x-protobuf" : undefined,
    );
    expect(server.received[0]?.headers["sec-websocket-version"]).toBe(transport === "ws" ? "13" : undefined);
  });

  it("tries again when the headers cannot be had, and names neither userinfo nor query in its log", async () => {
    const server = await startServer();
    let fails = true;
    const url = server.url(transport);
    url.username = "someone";
    url.password = "secret";
    url.search = "?token=secret";
    const headers = async () => {
      if (fails) throw new Error("no token yet");
      return {};
    };
    const fixture = makeSession(url, { settings: { headers } });
    fixture.session.start();
    expect((await fixture.event("failed")).error).toBe("no token yet");
    fails = false;
    fixture.clock.advance(2_000);
    await fixture.event("connected");
    expect(server.received[0]?.headers.authorization).toMatch(/^Basic /);
    expect(JSON.stringify(fixture.logs)).not.toMatch(/secret|someone/);
    const line = { event: "connected_to_server", server_url: server.url(transport).href };
    expect(fixture.logs).toContainEqual(expect.objectContaining(line));
  });

  it("survives a handler that throws", async () => {
    const server = await startServer();
    const fixture = makeSession(server.url(transport), {
      onEvent: ({ t }) => {
        if (t === "message") throw new Error("a defect");
      },
    });
    fixture.session.start();
    await fixture.until(() => fixture.logs.some(({ event }) => event === "handler_failed"));
    fixture.state.set("health", health({}));
    await server.next();
    expect(content((await server.next()).message)).toEqual(["health"]);
  });
});
