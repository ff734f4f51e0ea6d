import { once } from "node:events";
import { createServer, request as httpRequest, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { formatInstanceUid } from "../../../../src/opamp/instance-uid.ts";
import { EventStream } from "../../../../src/server/api/event-stream.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { fetchBytes, fetchJson, RawWebSocketAgent } from "../../../support/raw-agent.ts";
import { startTestServer, testEvents } from "../test-server.ts";

interface ReadEvent {
  id: string;
  type: string;
  data: Record<string, unknown>;
}

/** Reads an event stream as a browser does. */
class EventReader {
  readonly response: IncomingMessage;
  readonly comments: string[] = [];
  readonly #blocks: AsyncIterator<string>;

  static async open(url: string, headers: Record<string, string> = {}): Promise<EventReader> {
    const request = httpRequest(url, { headers, agent: false });
    request.end();
    const [response] = (await once(request, "response")) as [IncomingMessage];
    onTestFinished(() => void response.destroy());
    return new EventReader(response);
  }

  private constructor(response: IncomingMessage) {
    this.response = response;
    this.#blocks = blocksOf(response);
  }

  async next(): Promise<ReadEvent> {
    for (;;) {
      const { value, done } = await this.#blocks.next();
      if (done) throw new Error("the stream ended");
      const fields = new Map(value.split("\n").map((line) => line.split(/: (.*)/s, 2) as [string, string]));
      if (!fields.has("event")) this.comments.push(value);
      else
        return { id: fields.get("id")!, type: fields.get("event")!, data: JSON.parse(fields.get("data")!) };
    }
  }

  async nextComment(): Promise<string> {
    return (await this.#blocks.next()).value as string;
  }
}

async function* blocksOf(response: IncomingMessage): AsyncGenerator<string, void> {
  let text = "";
  for await (const chunk of response as AsyncIterable<Buffer>) {
    text += chunk.toString();
    const blocks = text.split("\n\n");
    text = blocks.pop()!;
    yield* blocks;
  }
}

async function next(reader: EventReader, count: number): Promise<ReadEvent[]> {
  const found: ReadEvent[] = [];
  while (found.length < count) found.push(await reader.next());
  return found;
}

describe("GET /api/v1/events", () => {
  it("tells of an Agent from its coming over an offer and its answer to its going", async () => {
    const online = await startTestServer();
    const reader = await EventReader.open(online.api("/api/v1/events?types=agent,offer"));
    expect(reader.response.headers).toMatchObject({
      "content-type": "text/event-stream",
      "cache-control": "no-store",
    });
    const { agent } = await RawWebSocketAgent.join(online.server.opampUrl);
    onTestFinished(() => agent.socket.terminate());
    const agent_id = formatInstanceUid(agent.speaker.uid);
    const body = "receivers:\n";
    const { json } = await fetchJson(online.api("/api/v1/config"), { method: "POST", body });
    const { remoteConfig } = await agent.receive();
    const status = (value: number, errorMessage = "") => ({
      remoteConfigStatus: { lastRemoteConfigHash: remoteConfig!.configHash, status: value, errorMessage },
    });
    await agent.exchange(status(3, "no exporter"));
    await agent.close();
    const events = await next(reader, 6);
    expect(events.map(({ data }) => data)).toMatchObject([
      { type: "agent.connected", agent_id, version: "1.2.3", transport: "websocket" },
      { type: "agent.changed", agent_id, changed: expect.arrayContaining(["labels", "health"]) },
      { type: "offer.made", agent_id, kind: "configuration", hash: json.config_hash },
      { type: "agent.changed", agent_id, changed: ["remote_config_status"] },
      {
        type: "offer.answered",
        agent_id,
        kind: "configuration",
        hash: json.config_hash,
        status: "FAILED",
        error: "no exporter",
      },
      { type: "agent.disconnected", agent_id },
    ]);
    expect(events.map(({ type }) => type)).toEqual(events.map(({ data }) => data.type));
    expect(events[0]!.data.time).toBe("2026-01-01T00:00:00.000Z");
  });

  it("tells of every decision about a rollout", async () => {
    const online = await startTestServer();
    const reader = await EventReader.open(online.api("/api/v1/events?types=rollout"));
    const body = "receivers:\n";
    const { json } = await fetchJson<{ rollout: string }>(online.api("/api/v1/config"), {
      method: "POST",
      body,
    });
    expect((await reader.next()).data).toMatchObject({
      type: "rollout.changed",
      rollout: json.rollout,
      happened: "created",
      state: "running",
      by: expect.any(String),
    });
  });

  it("tells only of the types asked for, and refuses what is no type", async () => {
    const online = await startTestServer();
    const reader = await EventReader.open(online.api("/api/v1/events?types=offer,agent.disconnected"));
    const { agent } = await RawWebSocketAgent.join(online.server.opampUrl);
    await agent.close();
    expect((await reader.next()).type).toBe("agent.disconnected");
    const { status, json } = await fetchJson(online.api("/api/v1/events?types=agent,agents"));
    expect([status, json.detail]).toEqual([400, expect.stringContaining('"agents"')]);
  });

  it("goes on where a reader broke off", async () => {
    const online = await startTestServer();
    const first = await EventReader.open(online.api("/api/v1/events"));
    const { agent } = await RawWebSocketAgent.join(online.server.opampUrl);
    const { id } = await first.next();
    first.response.destroy();
    await agent.close();
    const second = await EventReader.open(online.api("/api/v1/events"), { "last-event-id": id });
    expect((await next(second, 2)).map(({ type }) => type)).toEqual(["agent.changed", "agent.disconnected"]);
  });

  it.each(["another-1", "x", ""])("says that events were missed to who comes with %j", async (lastId) => {
    const online = await startTestServer();
    const reader = await EventReader.open(online.api("/api/v1/events"), { "last-event-id": lastId });
    const { type, id } = await reader.next();
    expect(type).toBe("reset");
    const again = await EventReader.open(online.api("/api/v1/events"), { "last-event-id": id });
    await RawWebSocketAgent.join(online.server.opampUrl).then(({ agent }) => agent.close());
    expect((await again.next()).type).toBe("agent.connected");
  });

  it("writes a comment while nothing happens", async () => {
    const online = await startTestServer();
    const reader = await EventReader.open(online.api("/api/v1/events"));
    expect(await reader.nextComment()).toMatch(/^: /);
    online.clock.advance(15_000);
    expect(await reader.nextComment()).toMatch(/^: still here/);
  });

  it("ends with the server, and is nothing for HEAD", async () => {
    const online = await startTestServer();
    expect((await fetchBytes(online.api("/api/v1/events"), { method: "HEAD" })).status).toBe(405);
    const reader = await EventReader.open(online.api("/api/v1/events"));
    const closed = online.server.close();
    await expect(reader.next()).rejects.toThrow(/./);
    await closed;
  });
});

describe("EventStream", () => {
  async function rig(kept: number) {
    const clock = new ManualClock();
    const events = testEvents(kept);
    const peer = { waiting: () => 0 };
    const cutOff = Promise.withResolvers<void>();
    const server = createServer((_request, response) => {
      response.writeHead(200);
      const options = { types: undefined, lastEventId: undefined, keepAliveMs: 1000, maxWaitingBytes: 1000 };
      const stream = new EventStream(response, { events, clock, ...options });
      peer.waiting = () => response.writableLength;
      response.once("close", cutOff.resolve);
      expect(stream).toBeDefined();
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    const { port } = server.address() as AddressInfo;
    const request = httpRequest(`http://127.0.0.1:${port}`, { agent: false });
    request.end();
    const [response] = (await once(request, "response")) as [IncomingMessage];
    response.on("error", () => undefined);
    return { clock, events, peer, cutOff: cutOff.promise };
  }

  const longEvent = {
    type: "agent.disconnected" as const,
    agent_id: "a",
    reason: "x".repeat(10_000),
  };

  it("keeps little for a reader that does not read, and cuts it off when it is left behind", async () => {
    const { cutOff, events, peer } = await rig(50);
    let most = 0;
    // More than the sockets of this machine take.
    for (let count = 0; count < 3000; count += 1) {
      events.publish(longEvent);
      most = Math.max(most, peer.waiting());
      if (count % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(most).toBeLessThan(30_000);
    await expect(cutOff).resolves.toBeUndefined();
  });

  it("cuts off a reader that takes nothing from one comment to the next", async () => {
    const { cutOff, clock, events, peer } = await rig(100_000);
    for (let count = 0; count < 3000; count += 1) {
      events.publish(longEvent);
      if (count % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(peer.waiting()).toBeGreaterThan(0);
    clock.advance(1000);
    clock.advance(1000);
    await expect(cutOff).resolves.toBeUndefined();
  });
});
