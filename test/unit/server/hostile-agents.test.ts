import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { systemClock } from "../../../src/foundation/clock.ts";
import { silentLogger } from "../../../src/foundation/logger.ts";
import { ServerErrorResponseType } from "../../../src/opamp/messages.ts";
import { openListener } from "../../../src/server/listener.ts";
import { fetchBytes, RawWebSocketAgent } from "../../support/raw-agent.ts";
import { startTestServer } from "./test-server.ts";

/** Attributes of a description, as many as that. */
const attributes = (count: number, text = "x") =>
  Array.from({ length: count }, (_, index) => ({
    key: `key-${index}`,
    value: { value: { case: "stringValue" as const, value: text } },
  }));

describe("sockets that say nothing", () => {
  it("are closed by the listener, and keep nobody out meanwhile", async () => {
    const listener = await openListener({
      section: "opamp",
      address: { host: "127.0.0.1", port: 0 },
      tls: undefined,
      onRequest: (_request, response) => response.end("served"),
      onError: () => undefined,
      handshakeTimeoutMs: 400,
      clock: systemClock,
      log: silentLogger,
    });
    onTestFinished(() => listener.close());
    const port = Number(listener.url.port);
    const silent = await Promise.all(
      Array.from({ length: 300 }, async (_, index) => {
        const socket = connect(port, "127.0.0.1");
        socket.on("error", () => undefined);
        await once(socket, "connect");
        // Some begin a request and never end it.
        if (index % 2 === 0) socket.write("GET /v1/opamp HTTP/1.1\r\nHost: ");
        return socket.resume();
      }),
    );
    expect((await fetchBytes(listener.url)).body.toString()).toBe("served");
    await Promise.all(silent.map(ended));
    expect((await fetchBytes(listener.url)).body.toString()).toBe("served");
  });
});

function ended(socket: Socket): Promise<unknown> {
  return socket.closed ? Promise.resolve() : once(socket, "close");
}

describe("a giant description", () => {
  it("is refused by what is too much of it, and the Agent is not taken in", async () => {
    const online = await startTestServer();
    const agent = await RawWebSocketAgent.connect(online.server.opampUrl);
    onTestFinished(() => agent.socket.terminate());
    for (const [description, problem] of [
      [{ identifyingAttributes: attributes(1_001) }, "1001 attributes"],
      [{ nonIdentifyingAttributes: attributes(300, "x".repeat(1_000)) }, "bytes of keys and values"],
    ] as const) {
      const { errorResponse } = await agent.exchange({ agentDescription: description });
      expect(errorResponse?.type).toBe(ServerErrorResponseType.ServerErrorResponseType_BadRequest);
      expect(errorResponse?.errorMessage).toContain(problem);
    }
    expect(online.server.fleet.list()).toEqual([]);
    await agent.exchange({ agentDescription: { identifyingAttributes: attributes(1_000) } });
    expect(online.server.fleet.list()).toHaveLength(1);
  });

  it("counts what lies within values", async () => {
    const online = await startTestServer();
    const agent = await RawWebSocketAgent.connect(online.server.opampUrl);
    onTestFinished(() => agent.socket.terminate());
    const values = attributes(1_001);
    const nested = { key: "all", value: { value: { case: "kvlistValue" as const, value: { values } } } };
    const answer = await agent.exchange({ agentDescription: { identifyingAttributes: [nested] } });
    expect(answer.errorResponse?.errorMessage).toContain("1002 attributes");
  });
});
