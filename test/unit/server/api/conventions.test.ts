import { gunzipSync } from "node:zlib";
import { describe, expect, it, onTestFinished } from "vitest";
import { formatInstanceUid } from "../../../../src/opamp/instance-uid.ts";
import { fetchBytes, fetchJson, RawWebSocketAgent } from "../../../support/raw-agent.ts";
import { startTestServer, type TestServer } from "../test-server.ts";

async function join({ server }: TestServer, attributes: Record<string, string> = {}) {
  const { agent } = await RawWebSocketAgent.join(server.opampUrl, { attributes }, {});
  onTestFinished(() => agent.socket.terminate());
  return { agent, id: formatInstanceUid(agent.speaker.uid) };
}

interface AgentPage {
  agents: { id: string }[];
  next?: string;
}

describe("a list", () => {
  it("comes in pages, in the order first heard, and whole without a limit", async () => {
    const online = await startTestServer();
    const ids: string[] = [];
    for (let index = 0; index < 5; index += 1) {
      ids.push((await join(online)).id);
      online.clock.advance(1);
    }
    const list = async (query: string) =>
      (await fetchJson<AgentPage>(online.api(`/api/v1/agents${query}`))).json;
    const first = await list("?limit=2");
    const second = await list(`?limit=2&cursor=${first.next}`);
    const third = await list(`?limit=2&cursor=${second.next}`);
    expect([first, second, third].map(({ agents }) => agents.map(({ id }) => id))).toEqual([
      ids.slice(0, 2),
      ids.slice(2, 4),
      ids.slice(4),
    ]);
    expect(third.next).toBeUndefined();
    const whole = await list("");
    expect([whole.agents.map(({ id }) => id), whole.next]).toEqual([ids, undefined]);
  });

  it("names its next page in a Link header that can be followed", async () => {
    const online = await startTestServer();
    await join(online, { env: "prod" });
    const { id } = await join(online, { env: "prod" });
    const { headers } = await fetchBytes(online.api("/api/v1/agents?selector=env%3Dprod&limit=1"));
    const [, link] = /^<([^>]+)>; rel="next"$/.exec(String(headers.link))!;
    const { json } = await fetchJson<AgentPage>(online.api(link!));
    expect([json.agents.map((agent) => agent.id), json.next]).toEqual([[id], undefined]);
  });

  it.each([
    ["limit=0", "limit"],
    ["limit=10001", "limit"],
    ["limit=some", "limit"],
    ["cursor=abc", "cursor"],
    ["cursor=W10", "cursor"],
    ["connected=maybe", "connected"],
  ])("refuses ?%s", async (query, field) => {
    const { api } = await startTestServer();
    const { status, json } = await fetchJson(api(`/api/v1/agents?${query}`));
    expect(status).toBe(400);
    expect(json).toMatchObject({
      type: "/api/v1/docs#bad-query-parameter",
      errors: [{ in: "query", field }],
    });
  });

  it("is filtered by connection, health and running configuration", async () => {
    const online = await startTestServer();
    const well = await join(online);
    const ill = await join(online);
    const silent = await join(online);
    await well.agent.exchange({ health: { healthy: true } });
    await ill.agent.exchange({ health: { healthy: false } });
    await ill.agent.exchange({
      remoteConfigStatus: { lastRemoteConfigHash: Buffer.from("0a", "hex"), status: 1 },
    });
    await silent.agent.exchange({ agentDisconnect: {} });
    const ids = async (query: string) => {
      const { json } = await fetchJson<AgentPage>(online.api(`/api/v1/agents?${query}`));
      return json.agents.map(({ id }) => id);
    };
    expect(await ids("connected=false")).toEqual([silent.id]);
    expect(await ids("healthy=true&connected=true")).toEqual([well.id]);
    expect(await ids("healthy=false&connected=true")).toEqual([ill.id]);
    expect(await ids("config_hash=0a")).toEqual([ill.id]);
  });
});

describe("an answer", () => {
  it("is not sent again to who has it already", async () => {
    const online = await startTestServer();
    const url = online.api("/api/v1/agents");
    const { headers } = await fetchBytes(url);
    const again = await fetchBytes(url, { headers: { "if-none-match": `"other", W/${headers.etag}` } });
    expect([again.status, again.body.length, again.headers.etag]).toEqual([304, 0, headers.etag]);
    await join(online);
    const changed = await fetchBytes(url, { headers: { "if-none-match": String(headers.etag) } });
    expect(changed.status).toBe(200);
    expect(changed.headers.etag).not.toBe(headers.etag);
  });

  it("is compressed when it is large and its reader can take it", async () => {
    const { api } = await startTestServer();
    const url = api("/api/v1/openapi.json");
    const plain = await fetchBytes(url);
    const packed = await fetchBytes(url, { headers: { "accept-encoding": "br, gzip;q=0.5" } });
    expect(packed.headers).toMatchObject({ "content-encoding": "gzip", vary: "accept-encoding" });
    expect(gunzipSync(packed.body).equals(plain.body)).toBe(true);
    expect(packed.headers.etag).not.toBe(plain.headers.etag);
    const headers = { "accept-encoding": "gzip", "if-none-match": String(packed.headers.etag) };
    expect((await fetchBytes(url, { headers })).status).toBe(304);
    const refused = await fetchBytes(url, { headers: { "accept-encoding": "gzip;q=0, identity" } });
    expect(refused.headers["content-encoding"]).toBeUndefined();
  });

  it("carries the request's own id, or a new one", async () => {
    const { api } = await startTestServer();
    const given = await fetchBytes(api("/nowhere"), { headers: { "x-request-id": "ticket-7" } });
    expect(given.headers["x-request-id"]).toBe("ticket-7");
    const bad = await fetchBytes(api("/health"), { headers: { "x-request-id": "a b" } });
    expect(bad.headers["x-request-id"]).toMatch(/^[0-9a-f-]{36}$/);
  });
});

describe("Idempotency-Key", () => {
  const push = (online: TestServer, key: string, query = "", body = "receivers:\n") =>
    fetchJson(online.api(`/api/v1/config${query}`), {
      method: "POST",
      headers: { "idempotency-key": key },
      body,
    });

  it("has a repeated POST answered as the first one, with nothing done again", async () => {
    const online = await startTestServer();
    const first = await push(online, "a");
    await join(online);
    const second = await push(online, "a");
    expect([second.status, second.json]).toEqual([first.status, first.json]);
    expect(second.json).toMatchObject({ matched: 0 });
    expect([first, second].map(({ headers }) => headers["idempotent-replayed"])).toEqual([undefined, "true"]);
    expect(online.log.of("config_pushed")).toHaveLength(1);
    expect((await push(online, "b")).json).toMatchObject({ matched: 1 });
  });

  it("is refused for another request", async () => {
    const online = await startTestServer();
    await push(online, "a");
    const type = "/api/v1/docs#idempotency-key-reused";
    const otherBody = await push(online, "a", "", "exporters:\n");
    expect([otherBody.status, otherBody.json.type]).toEqual([422, type]);
    const otherQuery = await push(online, "a", "?selector=env=prod");
    expect([otherQuery.status, otherQuery.json.type]).toEqual([422, type]);
    expect((await push(online, "a b")).status).toBe(400);
  });

  it("may be used again after a refusal", async () => {
    const online = await startTestServer();
    expect((await push(online, "a", "", "- no\n")).status).toBe(400);
    expect((await push(online, "a")).status).toBe(200);
  });
});
