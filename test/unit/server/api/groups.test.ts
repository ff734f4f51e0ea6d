import { describe, expect, it, onTestFinished } from "vitest";
import { formatInstanceUid } from "../../../../src/opamp/instance-uid.ts";
import { type FetchOptions, fetchBytes, fetchJson, RawWebSocketAgent } from "../../../support/raw-agent.ts";
import { startTestServer, type TestServer } from "../test-server.ts";

interface Group {
  name: string;
  selector: string;
  priority: number;
  type?: string;
}

const put = (online: TestServer, name: string, body: unknown, headers: FetchOptions["headers"] = {}) =>
  fetchJson<Group>(online.api(`/api/v1/groups/${name}`), {
    method: "PUT",
    headers,
    body: JSON.stringify(body),
  });

async function join({ server }: TestServer, attributes: Record<string, string>) {
  const { agent } = await RawWebSocketAgent.join(server.opampUrl, { attributes }, {});
  onTestFinished(() => agent.socket.terminate());
  return formatInstanceUid(agent.speaker.uid);
}

describe("groups", () => {
  it("are made, changed, listed by priority and ended", async () => {
    const online = await startTestServer();
    const made = await put(online, "prod", { selector: "env=prod", description: "Production" });
    const at = "2026-01-01T00:00:00.000Z";
    const prod = { name: "prod", selector: "env=prod", priority: 0, description: "Production" };
    expect([made.status, made.json]).toEqual([201, { ...prod, created_at: at, updated_at: at }]);
    await put(online, "edge", { selector: { labels: { site: ["a", "b"] } }, priority: 5 });
    const list = async () => (await fetchJson<{ groups: Group[] }>(online.api("/api/v1/groups"))).json.groups;
    expect((await list()).map(({ name, selector }) => [name, selector])).toEqual([
      ["edge", "site in (a,b)"],
      ["prod", "env=prod"],
    ]);
    online.clock.advance(1000);
    const changed = await put(online, "prod", { selector: "env=prod", priority: 9 });
    expect([changed.status, changed.json]).toMatchObject([
      200,
      { priority: 9, description: "", created_at: at, updated_at: "2026-01-01T00:00:01.000Z" },
    ]);
    expect((await list()).map(({ name }) => name)).toEqual(["prod", "edge"]);
    const ended = await fetchBytes(online.api("/api/v1/groups/prod"), { method: "DELETE" });
    expect([ended.status, ended.body.length]).toEqual([204, 0]);
    const gone = await fetchJson(online.api("/api/v1/groups/prod"));
    expect([gone.status, gone.json.type]).toEqual([404, "/api/v1/docs#no-such-group"]);
    expect((await fetchBytes(online.api("/api/v1/groups/prod"), { method: "DELETE" })).status).toBe(404);
  });

  it("have every Agent in one at most: that of the highest priority", async () => {
    const online = await startTestServer();
    await put(online, "all-prod", { selector: "env=prod", priority: 1 });
    await put(online, "canaries", { selector: "canary=true", priority: 2 });
    const plain = await join(online, { env: "prod" });
    const canary = await join(online, { env: "prod", canary: "true" });
    const other = await join(online, { env: "dev" });
    const groupOf = async (id: string) => (await fetchJson(online.api(`/api/v1/agents/${id}`))).json.group;
    expect([await groupOf(plain), await groupOf(canary), await groupOf(other)]).toEqual([
      "all-prod",
      "canaries",
      null,
    ]);
    const { json } = await fetchJson<{ agents: { id: string }[] }>(
      online.api("/api/v1/agents?group=all-prod"),
    );
    expect(json.agents.map(({ id }) => id)).toEqual([plain]);
  });

  it("are not changed over somebody else's change", async () => {
    const online = await startTestServer();
    await put(online, "a", { selector: "env=prod" });
    const { headers } = await fetchBytes(online.api("/api/v1/groups/a"));
    const etag = String(headers.etag);
    expect((await put(online, "a", { selector: "env=dev" }, { "if-match": etag })).status).toBe(200);
    const late = await put(online, "a", { selector: "env=test" }, { "if-match": etag });
    expect([late.status, late.json.type]).toEqual([412, "/api/v1/docs#precondition-failed"]);
    expect((await put(online, "a", { selector: "x" }, { "if-none-match": "*" })).status).toBe(412);
    expect((await put(online, "b", { selector: "x" }, { "if-match": "*" })).status).toBe(412);
    expect((await put(online, "b", { selector: "x" }, { "if-none-match": "*" })).status).toBe(201);
    const options = { method: "DELETE", headers: { "if-match": etag } };
    expect((await fetchBytes(online.api("/api/v1/groups/a"), options)).status).toBe(412);
  });

  it.each([
    ["a", {}, "bad-body"],
    ["a", { selector: "env=" }, "bad-selector"],
    ["a", { selector: "" }, "empty-selector"],
    ["a", { selector: "x", priorty: 1 }, "bad-body"],
    ["%20", { selector: "x" }, "bad-path"],
  ])("refuse %s %j", async (name, body, problem) => {
    const online = await startTestServer();
    const { status, json } = await put(online, name, body);
    expect([status, json.type]).toEqual([400, `/api/v1/docs#${problem}`]);
  });
});
