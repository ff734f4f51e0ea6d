import { connect } from "node:net";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterEach, describe, expect, it } from "vitest";
import { systemClock } from "../../../../src/foundation/clock.ts";
import { silentLogger } from "../../../../src/foundation/logger.ts";
import { ServerCapability } from "../../../../src/opamp/bits.ts";
import { ServerErrorResponseType } from "../../../../src/opamp/messages.ts";
import type {
  AgentConnection,
  EndpointHandlers,
  EndpointOptions,
} from "../../../../src/opamp/server/endpoint.ts";
import { OpampEndpoint } from "../../../../src/opamp/server/endpoint.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { answerOf, bodyOf, exchange, serveEndpoint, uidOf } from "../../../support/opamp-wire.ts";

const {
  ServerErrorResponseType_BadRequest: badRequest,
  ServerErrorResponseType_Unknown: unknown,
  ServerErrorResponseType_Unavailable: unavailable,
} = ServerErrorResponseType;

const cleanUps: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

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
  return { endpoint, server, port };
}

const hello = bodyOf({ instanceUid: uidOf(7) });

describe("answers over plain HTTP", () => {
  it("ST1, ST3, SI1: answers a POST on the same path with a bare ServerToAgent", async () => {
    const { port } = await serve();
    const response = await exchange(port, hello);
    expect(response.status).toBe(200);
    expect(response.headers["content-type"]).toBe("application/x-protobuf");
    expect(response.headers["content-length"]).toBe(String(response.body.length));
    expect(answerOf(response).instanceUid).toEqual(uidOf(7));
  });

  it("SS3, SX2: tells capabilities in every answer, custom ones in answers to full reports", async () => {
    const { port } = await serve({}, { customCapabilities: ["org.example.probe"] });
    const poll = answerOf(await exchange(port, hello));
    const full = answerOf(await exchange(port, bodyOf({ instanceUid: uidOf(7), agentDescription: {} })));
    expect(poll.capabilities & ServerCapability.AcceptsStatus).toBe(ServerCapability.AcceptsStatus);
    expect(poll.customCapabilities).toBeUndefined();
    expect(full.customCapabilities?.capabilities).toEqual(["org.example.probe"]);
  });

  it("SH6: a request is a connection that takes no unasked messages", async () => {
    let seen: AgentConnection<string> | undefined;
    const { port } = await serve({
      onMessage: (connection) => {
        seen = connection;
        return {};
      },
    });
    await exchange(port, hello, { headers: { "opamp-instance-uid": "x" } });
    expect(seen?.transport).toBe("http");
    expect(seen?.context).toBe("someone");
    expect(seen?.headers["opamp-instance-uid"]).toBe("x");
    expect(seen?.send({})).toBe(false);
    await expect(seen?.ping()).rejects.toThrow("cannot be pinged");
  });

  it.each(["application/x-protobuf", "application/x-protobuf; charset=utf-8", "Application/X-Protobuf;v=1"])(
    "P13: takes Content-Type %s",
    async (type) => {
      const { port } = await serve();
      expect((await exchange(port, hello, { headers: { "content-type": type } })).status).toBe(200);
    },
  );

  it("ST4: answers the same message again", async () => {
    const { port } = await serve();
    expect((await exchange(port, hello)).body).toEqual((await exchange(port, hello)).body);
  });
});

describe("packed bodies", () => {
  it("SH1: takes gzip and identity", async () => {
    const { port } = await serve();
    for (const [encoding, body] of [
      ["gzip", gzipSync(hello)],
      ["GZIP", gzipSync(hello)],
      ["identity", hello],
    ] as const) {
      const response = await exchange(port, body, { headers: { "content-encoding": encoding } });
      expect(answerOf(response).instanceUid).toEqual(uidOf(7));
    }
  });

  it.each(["br", "gzip, gzip", "zstd"])("P13: refuses Content-Encoding %s with 415", async (encoding) => {
    const { port } = await serve();
    const response = await exchange(port, hello, { headers: { "content-encoding": encoding } });
    expect(response.status).toBe(415);
    expect(response.body.toString()).toContain("gzip or identity");
    expect(response.headers["accept-encoding"]).toBe("gzip, identity");
  });

  it("SH2: packs the answer when the agent takes gzip, and not when it does not", async () => {
    const answer = { customMessage: { data: new Uint8Array(5000) } };
    const { port } = await serve({ onMessage: () => answer });
    const plain = await exchange(port, hello);
    const packed = await exchange(port, hello, { headers: { "accept-encoding": "br, gzip;q=0.5" } });
    const declined = await exchange(port, hello, { headers: { "accept-encoding": "gzip;q=0" } });
    expect(packed.headers["content-encoding"]).toBe("gzip");
    expect(packed.body.length).toBeLessThan(500);
    expect(gunzipSync(packed.body)).toEqual(plain.body);
    expect(plain.headers["content-encoding"]).toBeUndefined();
    expect(declined.body).toEqual(plain.body);
  });
});

describe("errors over plain HTTP", () => {
  const malformed: { name: string; body: Uint8Array; headers?: Record<string, string>; says: RegExp }[] = [
    { name: "SE2, P13: bytes that are no message", body: Uint8Array.of(0x0a, 0x7f), says: /AgentToServer/ },
    {
      name: "a body that is not gzip",
      body: hello,
      headers: { "content-encoding": "gzip" },
      says: /not gzip/,
    },
    {
      name: "gzip that ends early",
      body: gzipSync(hello).subarray(0, 20),
      headers: { "content-encoding": "gzip" },
      says: /not gzip/,
    },
    { name: "SI4: an empty body", body: new Uint8Array(), says: /instance_uid/ },
    { name: "SI4: zeroes", body: bodyOf({ instanceUid: uidOf(0) }), says: /16 zero bytes/ },
  ];
  it.each(malformed)("$name: 400 with a BAD_REQUEST answer", async ({ body, headers = {}, says }) => {
    const { port } = await serve();
    const response = await exchange(port, body, { headers });
    expect(response.status).toBe(400);
    expect(response.headers["content-type"]).toBe("application/x-protobuf");
    expect(answerOf(response).errorResponse?.type).toBe(badRequest);
    expect(answerOf(response).errorResponse?.errorMessage).toMatch(says);
  });

  it.each(["GET", "PUT", "DELETE"])(
    "P13: %s is refused with 405 that says what is expected",
    async (method) => {
      const { port } = await serve();
      const response = await exchange(port, undefined, { method });
      expect(response.status).toBe(405);
      expect(response.headers.allow).toBe("POST");
      expect(response.body.toString()).toContain("POST an AgentToServer message");
    },
  );

  it("ST2: another Content-Type is refused with 415", async () => {
    const { port } = await serve();
    const response = await exchange(port, Buffer.from("{}"), {
      headers: { "content-type": "application/json" },
    });
    expect(response.status).toBe(415);
    expect(response.body.toString()).toContain("application/x-protobuf");
  });

  it("names the OpAMP path to those who ask for another", async () => {
    const { port } = await serve();
    const response = await exchange(port, hello, { path: "/v1/opamp/" });
    expect(response.status).toBe(404);
    expect(response.body.toString()).toContain("OpAMP is served at /v1/opamp");
    expect((await exchange(port, hello, { path: "/v1/opamp?x=1" })).status).toBe(200);
  });

  it("SE1: refuses with the verdict's status, headers and text, and reads no body", async () => {
    let handled = 0;
    const { port } = await serve({
      admit: () => ({
        admit: false,
        status: 401,
        message: "who?",
        headers: { "www-authenticate": "Bearer" },
      }),
      onMessage: () => {
        handled += 1;
        return {};
      },
    });
    const response = await exchange(port, hello);
    expect(response.status).toBe(401);
    expect(response.headers["www-authenticate"]).toBe("Bearer");
    expect(response.body.toString()).toBe("who?\n");
    expect(handled).toBe(0);
  });

  it("a handler that throws: 500 with an UNKNOWN answer without details", async () => {
    const { port } = await serve({ onMessage: () => Promise.reject(new Error("secret detail")) });
    const response = await exchange(port, hello);
    expect(response.status).toBe(500);
    expect(answerOf(response).errorResponse?.type).toBe(unknown);
    expect(response.body.toString()).not.toContain("secret detail");
  });

  it("SE4: UNAVAILABLE from the handler becomes 503 with Retry-After", async () => {
    const { port } = await serve({
      onMessage: () => ({
        errorResponse: {
          type: unavailable,
          errorMessage: "busy",
          details: { case: "retryInfo", value: { retryAfterNanoseconds: 1_500_000_000n } },
        },
      }),
    });
    const response = await exchange(port, hello);
    expect(response.status).toBe(503);
    expect(response.headers["retry-after"]).toBe("2");
    expect(answerOf(response).errorResponse?.type).toBe(unavailable);
  });
});

describe("limits over plain HTTP", () => {
  const limit = { maxMessageBytes: 2000 };
  const large = bodyOf({ instanceUid: uidOf(1), customMessage: { data: new Uint8Array(4000) } });
  const tooLarge = [
    { name: "announced by Content-Length", body: large, headers: { "content-length": large.length } },
    { name: "in chunks", body: large, headers: { "transfer-encoding": "chunked" } },
    { name: "after gzip", body: gzipSync(large), headers: { "content-encoding": "gzip" } },
  ];
  it.each(tooLarge)("SH3: 413 for a message over the limit, $name", async ({ body, headers }) => {
    let handled = 0;
    const onMessage = () => {
      handled += 1;
      return {};
    };
    const { port } = await serve({ onMessage }, limit);
    const response = await exchange(port, body, { headers });
    expect(response.status).toBe(413);
    expect(response.body.toString()).toContain("2000 bytes");
    expect(handled).toBe(0);
  });

  it("SH3: the 413 reaches an agent that sends megabytes before it listens", async () => {
    const { port } = await serve({}, limit);
    expect((await exchange(port, new Uint8Array(8 * 1024 * 1024))).status).toBe(413);
  });

  it("SH4: does not send an answer over the limit, but an error with 500", async () => {
    const { port } = await serve(
      { onMessage: () => ({ customMessage: { data: new Uint8Array(4000) } }) },
      limit,
    );
    const response = await exchange(port, hello, { headers: { "accept-encoding": "gzip" } });
    expect(response.status).toBe(500);
    expect(answerOf(response).errorResponse?.type).toBe(unknown);
  });

  it("cuts a request whose body does not come", async () => {
    const clock = new ManualClock();
    const { promise: asked, resolve } = Promise.withResolvers<void>();
    const { server, port } = await serve(
      {
        admit: () => {
          resolve();
          return { admit: true, context: "" };
        },
      },
      { clock, handshakeTimeoutMs: 1000, closeTimeoutMs: 500 },
    );
    // Node itself would close the connection as an idle one.
    server.keepAliveTimeout = 0;
    const socket = connect(port, "127.0.0.1");
    let received = "";
    socket.on("data", (chunk) => {
      received += chunk.toString();
    });
    const closed = new Promise((done) => socket.on("close", done));
    socket.on("error", () => undefined);
    const { promise: answered, resolve: onAnswer } = Promise.withResolvers<void>();
    socket.once("data", () => onAnswer());
    socket.write(
      "POST /v1/opamp HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\nContent-Length: 100\r\n\r\nabc",
    );
    await asked;
    clock.advance(1000);
    await answered;
    expect(received).toContain("408");
    clock.advance(500);
    await closed;
  });

  it("an agent that goes away while it sends disturbs nobody", async () => {
    const { promise: asked, resolve } = Promise.withResolvers<void>();
    const { port } = await serve({
      admit: () => {
        resolve();
        return { admit: true, context: "" };
      },
    });
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => undefined);
    socket.write(
      "POST /v1/opamp HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\nContent-Length: 100\r\n\r\nabc",
    );
    await asked;
    socket.resetAndDestroy();
    expect((await exchange(port, hello)).status).toBe(200);
  });

  it("P14: answers 503 while stopping, and lets a request under way end", async () => {
    const gate = Promise.withResolvers<void>();
    const { promise: begun, resolve } = Promise.withResolvers<void>();
    const { port, endpoint } = await serve({
      onMessage: async () => {
        resolve();
        await gate.promise;
        return { flags: 1n };
      },
    });
    const underWay = exchange(port, hello);
    await begun;
    let closed = false;
    const closing = endpoint.close().then(() => {
      closed = true;
    });
    const late = await exchange(port, hello);
    expect(late.status).toBe(503);
    expect(Number(late.headers["retry-after"])).toBeGreaterThanOrEqual(15);
    expect(closed).toBe(false);
    gate.resolve();
    expect(answerOf(await underWay).flags).toBe(1n);
    await closing;
  });
});
