import type { Server } from "node:http";
import { connect } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { systemClock } from "../../../../src/foundation/clock.ts";
import { silentLogger } from "../../../../src/foundation/logger.ts";
import { ServerCapability } from "../../../../src/opamp/bits.ts";
import { decodeFrame } from "../../../../src/opamp/framing.ts";
import {
  ServerErrorResponseType,
  type ServerToAgent,
  ServerToAgentSchema,
} from "../../../../src/opamp/messages.ts";
import type {
  AgentConnection,
  EndpointHandlers,
  EndpointOptions,
} from "../../../../src/opamp/server/endpoint.ts";
import { OpampEndpoint } from "../../../../src/opamp/server/endpoint.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { frameOf, serveEndpoint, uidOf, WireAgent } from "../../../support/opamp-wire.ts";

const { ServerErrorResponseType_BadRequest: badRequest, ServerErrorResponseType_Unknown: unknown } =
  ServerErrorResponseType;

const cleanUps: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

/** An endpoint that answers everything with nothing to say, unless told otherwise. */
async function serve(
  handlers: Partial<EndpointHandlers<string>> = {},
  options: Partial<EndpointOptions> = {},
) {
  const endpoint = new OpampEndpoint<string>(
    {
      capabilities: ServerCapability.OffersRemoteConfig,
      logger: silentLogger,
      clock: systemClock,
      ...options,
    },
    {
      admit: () => ({ admit: true, context: "someone" }),
      onMessage: () => ({}),
      onClosed: () => {},
      ...handlers,
    },
  );
  const { server, port, stop } = await serveEndpoint(endpoint);
  cleanUps.push(stop);
  const open = async (how?: Parameters<typeof WireAgent.open>[1]) => {
    const agent = await WireAgent.open(port, how);
    cleanUps.push(() => agent.end());
    return agent;
  };
  return { endpoint, server, port, open };
}

/** Resolves with the arguments of the first call. */
function firstCall<A extends unknown[]>(): { called: Promise<A>; call: (...args: A) => void } {
  const { promise, resolve } = Promise.withResolvers<A>();
  return { called: promise, call: (...args) => resolve(args) };
}

describe("answers over WebSocket", () => {
  it("ST3, SI1: answers a message with nothing to say, under the agent's instance_uid", async () => {
    const { open } = await serve();
    const agent = await open();
    const answer = await agent.ask({ instanceUid: uidOf(7) });
    expect(answer.instanceUid).toEqual(uidOf(7));
    expect(answer.errorResponse).toBeUndefined();
  });

  it("SI1: keeps the agent's instance_uid though the handler names another", async () => {
    const { open } = await serve({
      onMessage: () => ({ instanceUid: uidOf(9), agentIdentification: { newInstanceUid: uidOf(9) } }),
    });
    const agent = await open();
    const answer = await agent.ask({ instanceUid: uidOf(7) });
    expect(answer.instanceUid).toEqual(uidOf(7));
    expect(answer.agentIdentification?.newInstanceUid).toEqual(uidOf(9));
  });

  it("SS3, SX2: announces capabilities in the first answer of a connection only", async () => {
    const { open } = await serve({}, { customCapabilities: ["org.example.probe"] });
    const agent = await open();
    const first = await agent.ask({ instanceUid: uidOf(1) });
    const second = await agent.ask({ instanceUid: uidOf(1) });
    expect(first.capabilities).toBe(ServerCapability.OffersRemoteConfig | ServerCapability.AcceptsStatus);
    expect(first.customCapabilities?.capabilities).toEqual(["org.example.probe"]);
    expect(second.capabilities).toBe(0n);
    expect(second.customCapabilities).toBeUndefined();
  });

  it("SS2, SS3: sends an error alone, and the capabilities with the first answer that is none", async () => {
    let calls = 0;
    const { open } = await serve({
      onMessage: () => {
        calls += 1;
        return calls === 1 ? { flags: 1n, errorResponse: { type: badRequest, errorMessage: "no" } } : {};
      },
    });
    const agent = await open();
    const first = await agent.ask({ instanceUid: uidOf(1) });
    const second = await agent.ask({ instanceUid: uidOf(1) });
    expect(first.errorResponse?.errorMessage).toBe("no");
    expect([first.flags, first.capabilities]).toEqual([0n, 0n]);
    expect(second.capabilities).not.toBe(0n);
  });

  it("ST4: answers a duplicate as well, and an agent_disconnect", async () => {
    const { open } = await serve();
    const agent = await open();
    const message = { instanceUid: uidOf(1), sequenceNum: 4n };
    agent.send(message);
    agent.send(message);
    agent.send({ ...message, agentDisconnect: {} });
    const answers = [await agent.next(), await agent.next(), await agent.next()];
    expect(answers.map((answer) => answer.errorResponse)).toEqual([undefined, undefined, undefined]);
  });

  it("SW5: answers each agent of a shared WebSocket under its own instance_uid", async () => {
    const { open } = await serve();
    const agent = await open();
    for (const seed of [1, 2, 1]) {
      expect((await agent.ask({ instanceUid: uidOf(seed) })).instanceUid).toEqual(uidOf(seed));
    }
  });

  it("handles the messages of one WebSocket one at a time and in order", async () => {
    const seen: bigint[] = [];
    let active = 0;
    let mostActive = 0;
    const { open } = await serve({
      onMessage: async (_connection, { sequenceNum }) => {
        active += 1;
        mostActive = Math.max(mostActive, active);
        // Later messages would overtake if they were not held back.
        for (let turn = 0; turn < 20 - Number(sequenceNum % 20n); turn += 1) await Promise.resolve();
        seen.push(sequenceNum);
        active -= 1;
        return { flags: sequenceNum };
      },
    });
    const agent = await open();
    const numbers = Array.from({ length: 200 }, (_, index) => BigInt(index));
    for (const sequenceNum of numbers) agent.send({ instanceUid: uidOf(1), sequenceNum });
    const answers: bigint[] = [];
    for (const _ of numbers) answers.push((await agent.next()).flags);
    expect(seen).toEqual(numbers);
    expect(answers).toEqual(numbers);
    expect(mostActive).toBe(1);
  });

  it("a handler that throws is answered with UNKNOWN and no details; the connection lives on", async () => {
    const logged: string[] = [];
    let broken = true;
    const { open } = await serve(
      {
        onMessage: () => {
          if (broken) throw new Error("secret detail");
          return {};
        },
      },
      { logger: { ...silentLogger, error: (fields) => logged.push(JSON.stringify(fields)) } },
    );
    const agent = await open();
    const answer = await agent.ask({ instanceUid: uidOf(3) });
    expect(answer.instanceUid).toEqual(uidOf(3));
    expect(answer.errorResponse?.type).toBe(unknown);
    expect(answer.errorResponse?.errorMessage).not.toContain("secret detail");
    expect(logged.join()).toContain("secret detail");
    broken = false;
    expect((await agent.ask({ instanceUid: uidOf(3) })).errorResponse).toBeUndefined();
  });
});

describe("malformed messages over WebSocket", () => {
  const cases: { name: string; frame: Uint8Array | string; says: RegExp }[] = [
    { name: "SW1: a header that is not 0", frame: Uint8Array.of(5, 1, 2), says: /header/ },
    {
      name: "SE2, P13: bytes that are no message",
      frame: Uint8Array.of(0, 0x0a, 0x7f),
      says: /AgentToServer/,
    },
    { name: "a frame without a header", frame: new Uint8Array(), says: /header/ },
    { name: "a text frame", frame: "hello", says: /binary/ },
    { name: "SI4: no instance_uid", frame: Uint8Array.of(0), says: /instance_uid/ },
    {
      name: "SI4: a short instance_uid",
      frame: frameOf({ instanceUid: Uint8Array.of(1) }),
      says: /instance_uid/,
    },
    {
      name: "SI4: an instance_uid of zeroes",
      frame: frameOf({ instanceUid: uidOf(0) }),
      says: /instance_uid/,
    },
  ];
  it.each(cases)(
    "$name is answered with BAD_REQUEST, and the next good message is served",
    async ({ frame, says }) => {
      let handled = 0;
      const onMessage = () => {
        handled += 1;
        return {};
      };
      const { open } = await serve({ onMessage });
      const agent = await open();
      agent.socket.send(frame);
      const answer = await agent.next();
      expect(answer.errorResponse?.type).toBe(badRequest);
      expect(answer.errorResponse?.errorMessage).toMatch(says);
      expect(handled).toBe(0);
      expect((await agent.ask({ instanceUid: uidOf(1) })).errorResponse).toBeUndefined();
      expect(handled).toBe(1);
    },
  );
});

describe("admission of WebSockets", () => {
  it("SE1: refuses at the upgrade with the status, text and headers of the verdict", async () => {
    const { port } = await serve({
      admit: () => ({
        admit: false,
        status: 401,
        message: "a bearer token is needed",
        headers: { "www-authenticate": "Bearer" },
      }),
    });
    await expect(WireAgent.open(port)).rejects.toThrow("status 401: a bearer token is needed");
  });

  it("hands the context and the headers of the upgrade on", async () => {
    const { called, call } = firstCall<[AgentConnection<string>]>();
    const { open } = await serve({
      admit: async (request) => ({ admit: true, context: String(request.headers.authorization) }),
      onConnected: call,
    });
    await open({ headers: { authorization: "Bearer x", "x-mark": "7" } });
    const [connection] = await called;
    expect(connection.context).toBe("Bearer x");
    expect(connection.headers["x-mark"]).toBe("7");
    expect(connection.remoteAddress).toBe("127.0.0.1");
    expect(connection.transport).toBe("websocket");
  });

  it("an admission that throws refuses with 500", async () => {
    const { port } = await serve({ admit: () => Promise.reject(new Error("store is down")) });
    await expect(WireAgent.open(port)).rejects.toThrow(/^status 500: (?!.*store)/);
  });

  it("names the OpAMP path to those who ask for another", async () => {
    const { port } = await serve({}, { path: "/opamp" });
    await expect(WireAgent.open(port)).rejects.toThrow("status 404: nothing here; OpAMP is served at /opamp");
  });

  it("SE4: refuses with 503 beyond maxConnections, and admits again when one has left", async () => {
    const closed = firstCall<[AgentConnection<string>, string]>();
    const { port, open, endpoint } = await serve({ onClosed: closed.call }, { maxConnections: 1 });
    const first = await open();
    await expect(WireAgent.open(port)).rejects.toThrow("status 503");
    await first.end();
    await closed.called;
    await expect.poll(() => endpoint.connectionCount).toBe(0);
    await open();
  });

  it("SE4: spreads over half a minute when those it refuses come back", async () => {
    const draws = [0, 0.5, 0.999];
    const { port } = await serve({}, { maxConnections: 0, random: () => draws.shift() ?? 0 });
    const refused = () =>
      fetch(`http://127.0.0.1:${port}/v1/opamp`, { method: "POST", body: "" }).then(({ headers, status }) => [
        status,
        headers.get("retry-after"),
      ]);
    expect([await refused(), await refused(), await refused()]).toEqual([
      [503, "15"],
      [503, "30"],
      [503, "45"],
    ]);
  });

  it("cuts a handshake whose admission does not end", async () => {
    const clock = new ManualClock();
    const asked = firstCall<[]>();
    const { port } = await serve(
      {
        admit: () => {
          asked.call();
          return new Promise(() => {});
        },
      },
      { clock, handshakeTimeoutMs: 1000 },
    );
    const refused = WireAgent.open(port).catch((error: Error) => error.message);
    await asked.called;
    clock.advance(1000);
    expect(await refused).toContain("status 503");
  });
});

describe("limits of a WebSocket", () => {
  const limit = { maxMessageBytes: 2000 };
  const large = {
    instanceUid: uidOf(1),
    customMessage: { capability: "c", type: "t", data: new Uint8Array(4000) },
  };

  it("SW2: closes with 1009 over the size limit, and does not handle the message", async () => {
    let handled = 0;
    const closed = firstCall<[AgentConnection<string>, string]>();
    const onMessage = () => {
      handled += 1;
      return {};
    };
    const { open } = await serve({ onMessage, onClosed: closed.call }, limit);
    const agent = await open();
    agent.send(large);
    expect((await agent.closed).code).toBe(1009);
    const [, reason] = await closed.called;
    expect(reason).toContain("Max payload size exceeded");
    expect(handled).toBe(0);
  });

  it("P3, SW2: counts the size after permessage-deflate", async () => {
    const { open } = await serve({}, limit);
    const agent = await open({ deflate: true });
    expect(agent.socket.extensions).toContain("permessage-deflate");
    agent.socket.send(frameOf(large), { compress: true });
    expect((await agent.closed).code).toBe(1009);
  });

  it("SW2: takes a message of exactly the limit", async () => {
    const frame = frameOf({ instanceUid: uidOf(1) });
    const { open } = await serve({}, { maxMessageBytes: frame.length + 20 });
    const agent = await open();
    const padded = frameOf({ instanceUid: uidOf(1), customMessage: { data: new Uint8Array(16) } });
    expect(padded.length).toBe(frame.length + 20);
    expect(
      (await agent.ask({ instanceUid: uidOf(1), customMessage: { data: new Uint8Array(16) } })).instanceUid,
    ).toEqual(uidOf(1));
  });

  it("SW3: does not send an answer over the limit, but an error in its place", async () => {
    const { open } = await serve(
      { onMessage: () => ({ customMessage: { data: new Uint8Array(4000) } }) },
      limit,
    );
    const agent = await open();
    const answer = await agent.ask({ instanceUid: uidOf(1) });
    expect(answer.errorResponse?.type).toBe(unknown);
    expect(answer.customMessage).toBeUndefined();
  });

  it("cuts off a peer that does not read what it is sent", async () => {
    const closed = firstCall<[AgentConnection<string>, string]>();
    const { port } = await serve(
      {
        onMessage: () => ({}),
        onConnected: (connection) => {
          const data = new Uint8Array(1024 * 1024);
          let sent = 0;
          while (connection.send({ customMessage: { data } })) sent += 1;
          expect(sent).toBeLessThan(30);
        },
        onClosed: closed.call,
      },
      { maxBufferedBytes: 4 * 1024 * 1024 },
    );
    // A raw socket that upgrades and then never reads.
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => undefined);
    cleanUps.push(async () => void socket.destroy());
    socket.write(
      `GET /v1/opamp HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${"A".repeat(22)}==\r\n\r\n`,
    );
    const [, reason] = await closed.called;
    expect(reason).toContain("does not read");
  });

  it("stops reading from a peer while many of its messages wait, and loses none", async () => {
    const gate = Promise.withResolvers<void>();
    let handled = 0;
    const onMessage = async () => {
      await gate.promise;
      handled += 1;
      return {};
    };
    // 25 MB, were they all read, would be far more than a limit of 1 MiB lets wait.
    const { open } = await serve({ onMessage }, { maxMessageBytes: 1024 * 1024 });
    const agent = await open();
    const data = new Uint8Array(64 * 1024);
    const count = 400;
    const { promise: stalled, resolve: stall } = Promise.withResolvers<void>();
    let left = count;
    const send = () => {
      const frame = frameOf({ instanceUid: uidOf(1), customMessage: { data } });
      const taken = setTimeout(stall, 100);
      agent.socket.send(frame, () => {
        clearTimeout(taken);
        left -= 1;
        if (left > 0) send();
      });
    };
    send();
    await stalled;
    expect(left).toBeGreaterThan(0);
    gate.resolve();
    for (let index = 0; index < count; index += 1) {
      expect((await agent.next()).errorResponse).toBeUndefined();
    }
    expect(handled).toBe(count);
  });

  it("closes a WebSocket on which no first message comes", async () => {
    const clock = new ManualClock();
    const { open } = await serve({}, { clock, handshakeTimeoutMs: 1000 });
    const agent = await open();
    clock.advance(1000);
    expect((await agent.closed).code).toBe(1008);
  });

  it("pings a silent WebSocket, keeps one that answers and cuts one that does not", async () => {
    const clock = new ManualClock();
    const closed = firstCall<[AgentConnection<string>, string]>();
    const { open } = await serve({ onClosed: closed.call }, { clock, idleTimeoutMs: 1000 });
    const agent = await open();
    await agent.ask({ instanceUid: uidOf(1) });
    for (let silence = 0; silence < 3; silence += 1) {
      const pinged = new Promise((resolve) => agent.socket.once("ping", resolve));
      clock.advance(1000);
      await pinged;
      // The answer to a message comes behind the pong, so the pong has been seen by then.
      await agent.ask({ instanceUid: uidOf(1) });
    }
    clock.advance(999);
    expect(agent.socket.readyState).toBe(agent.socket.OPEN);
    agent.socket.pause();
    clock.advance(1);
    clock.advance(1000);
    const [, reason] = await closed.called;
    expect(reason).toContain("did not answer a ping");
  });
});

describe("floods", () => {
  const heartbeat = { instanceUid: uidOf(1) };

  it("are handled at a bounded rate, and lose nothing", async () => {
    const clock = new ManualClock();
    let handled = 0;
    const onMessage = () => {
      handled += 1;
      return {};
    };
    const { open } = await serve({ onMessage }, { clock, maxMessagesPerSecond: 5 });
    const agent = await open();
    for (let index = 0; index < 60; index += 1) agent.send(heartbeat);
    for (let index = 0; index < 49; index += 1) await agent.next();
    await Promise.all([
      ...Array.from({ length: 60 - 49 }, () => agent.next()),
      tick(clock, 100, () => handled < 60),
    ]);
    expect(handled).toBe(60);
    expect(clock.monotonic()).toBeGreaterThanOrEqual(1_800);
  });

  it("SE3: are told UNAVAILABLE and when to come back once they do not end", async () => {
    const clock = new ManualClock();
    const { open } = await serve({}, { clock, maxMessagesPerSecond: 5, idleTimeoutMs: 0 });
    const agent = await open();
    let last: ServerToAgent | undefined;
    agent.socket.on("message", (data) => {
      last = decodeFrame(ServerToAgentSchema, new Uint8Array(data as Buffer));
    });
    for (let index = 0; index < 1_000; index += 1) agent.send(heartbeat);
    let isOpen = true;
    void agent.closed.then(() => {
      isOpen = false;
    });
    const [{ code }] = await Promise.all([agent.closed, tick(clock, 100, () => isOpen)]);
    expect(code).toBe(1013);
    expect(last?.errorResponse?.type).toBe(ServerErrorResponseType.ServerErrorResponseType_Unavailable);
    expect(last?.errorResponse?.details.case).toBe("retryInfo");
    expect(clock.monotonic()).toBeGreaterThanOrEqual(60_000);
  });
});

/** Lets time pass as long as `goesOn`, with turns of the event loop in between. */
async function tick(clock: ManualClock, stepMs: number, goesOn: () => boolean): Promise<void> {
  while (goesOn()) {
    await nextTurn();
    clock.advance(stepMs);
  }
}

describe("sending and closing", () => {
  it("SC4: sends unasked, under the last instance_uid and with the capabilities if they are due", async () => {
    const connected = firstCall<[AgentConnection<string>]>();
    const { open } = await serve({ onConnected: connected.call });
    const agent = await open();
    const [connection] = await connected.called;
    expect(connection.send({ flags: 1n })).toBe(true);
    const first = await agent.next();
    expect(first.capabilities).not.toBe(0n);
    await agent.ask({ instanceUid: uidOf(5) });
    connection.send({ flags: 2n });
    const pushed = await agent.next();
    expect(pushed.instanceUid).toEqual(uidOf(5));
    expect(pushed.flags).toBe(2n);
  });

  it("a prepared message that is sent many times is not changed", async () => {
    const prepared = { flags: 1n };
    const { open } = await serve({ onMessage: () => prepared });
    const agent = await open();
    await agent.ask({ instanceUid: uidOf(1) });
    expect(prepared).toEqual({ flags: 1n });
  });

  it("ping resolves on the pong, and rejects when the connection closes first", async () => {
    const connected = firstCall<[AgentConnection<string>]>();
    const { open } = await serve({ onConnected: connected.call });
    const agent = await open();
    const [connection] = await connected.called;
    await connection.ping();
    agent.socket.pause();
    const unanswered = connection.ping();
    agent.socket.terminate();
    await expect(unanswered).rejects.toThrow("closed before a pong");
    await expect(connection.ping()).rejects.toThrow("closed");
    expect(connection.send({})).toBe(false);
  });

  it("SW4: closes with a close frame and the handshake", async () => {
    const closed = firstCall<[AgentConnection<string>, string]>();
    const { open } = await serve({
      onConnected: (connection) => connection.close(4001, `replaced ${"é".repeat(200)}`),
      onClosed: closed.call,
    });
    const agent = await open();
    const end = await agent.closed;
    expect(end.code).toBe(4001);
    expect(end.reason).toMatch(/^replaced é+$/);
    await closed.called;
  });

  it("SW4: cuts a peer that does not answer the close frame", async () => {
    const clock = new ManualClock();
    const connected = firstCall<[AgentConnection<string>]>();
    const closed = firstCall<[AgentConnection<string>, string]>();
    const { open } = await serve({ onConnected: connected.call, onClosed: closed.call }, { clock });
    const agent = await open();
    agent.socket.pause();
    const [connection] = await connected.called;
    connection.close(1000, "enough");
    clock.advance(5000);
    const [, reason] = await closed.called;
    expect(reason).toBe("enough");
  });

  it("SW6: tells the end of a connection after its last message was handled", async () => {
    const told: string[] = [];
    const gate = Promise.withResolvers<void>();
    const closed = firstCall<[AgentConnection<string>, string]>();
    const { open } = await serve({
      onMessage: async (_connection, message) => {
        await gate.promise;
        told.push(message.agentDisconnect === undefined ? "message" : "disconnect");
        return {};
      },
      onClosed: (connection, reason) => {
        told.push("closed");
        closed.call(connection, reason);
      },
    });
    const agent = await open();
    agent.send({ instanceUid: uidOf(1) });
    agent.send({ instanceUid: uidOf(1), agentDisconnect: {} });
    agent.socket.close(1000, "bye");
    await agent.closed;
    gate.resolve();
    const [, reason] = await closed.called;
    expect(told).toEqual(["message", "disconnect", "closed"]);
    expect(reason).toBe("bye");
  });

  it("P14: close() sends every WebSocket a close frame, refuses new ones and waits for the ends", async () => {
    const ends: string[] = [];
    const { endpoint, open, port } = await serve({ onClosed: (_connection, reason) => ends.push(reason) });
    const agents = [await open(), await open()];
    await endpoint.close();
    expect(ends).toEqual(["the server is stopping", "the server is stopping"]);
    for (const agent of agents) expect((await agent.closed).code).toBe(1001);
    await expect(WireAgent.open(port)).rejects.toThrow("status 503");
  });

  it("P14: close() spreads the good-byes over the time it is given, and serves those whose turn has not come", async () => {
    const clock = new ManualClock();
    const ended: number[] = [];
    const { endpoint, open, port } = await serve({}, { clock });
    const agents = [await open(), await open(), await open(), await open()];
    for (const agent of agents) void agent.closed.then(() => ended.push(clock.monotonic()));
    const closing = endpoint.close({ spreadMs: 4000 });
    await expect.poll(() => ended).toEqual([0]);
    agents[3]!.send({ instanceUid: uidOf(3) });
    expect((await agents[3]!.next()).instanceUid).toEqual(uidOf(3));
    await expect(WireAgent.open(port)).rejects.toThrow("status 503");
    for (const at of [1000, 2000, 3000]) {
      clock.advance(1000);
      await expect.poll(() => ended.at(-1)).toBe(at);
    }
    await closing;
    expect(ended).toEqual([0, 1000, 2000, 3000]);
  });

  it("P14: close() ends in bounded time though a peer does not answer and a handler hangs", async () => {
    const clock = new ManualClock();
    const hanging = firstCall<[]>();
    const { endpoint, open, server } = await serve(
      {
        onMessage: () => {
          hanging.call();
          return new Promise(() => {});
        },
      },
      { clock },
    );
    const agent = await open();
    agent.send({ instanceUid: uidOf(1) });
    await hanging.called;
    agent.socket.pause();
    const ended = endpoint.close();
    clock.advance(5000);
    await ended;
    await expect.poll(() => openSockets(server)).toBe(0);
  });
});

function openSockets(server: Server): Promise<number> {
  return new Promise((resolve, reject) =>
    server.getConnections((error, count) => (error === null ? resolve(count) : reject(error))),
  );
}
