import { describe, expect, it, onTestFinished } from "vitest";
import { formatInstanceUid } from "../../../../src/opamp/instance-uid.ts";
import { OperatorLabels } from "../../../../src/server/fleet/operator-labels.ts";
import { startServer } from "../../../../src/server/server.ts";
import { testDatabase } from "../../../support/database.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { fetchBytes, fetchJson, RawWebSocketAgent } from "../../../support/raw-agent.ts";
import { tempDir } from "../../../support/temp-dir.ts";
import { LogBook, startTestServer, type TestServer, testSettings } from "../test-server.ts";

async function join({ server }: Pick<TestServer, "server">, attributes: Record<string, string>) {
  const { agent } = await RawWebSocketAgent.join(server.opampUrl, { attributes });
  onTestFinished(() => agent.socket.terminate());
  return { agent, id: formatInstanceUid(agent.speaker.uid) };
}

const change = (online: Pick<TestServer, "api">, id: string, method: string, labels?: object, headers = {}) =>
  fetchJson(online.api(`/api/v1/agents/${id}/labels`), {
    method,
    headers,
    ...(labels === undefined ? {} : { body: JSON.stringify({ labels }) }),
  });

describe("an operator's labels", () => {
  it("are given, changed and taken away, and selectors see them at once", async () => {
    const online = await startTestServer();
    const { id } = await join(online, { env: "prod" });
    await join(online, { env: "prod" });
    const found = async (selector: string) => {
      const query = encodeURIComponent(selector);
      const { json } = await fetchJson<{ agents: { id: string; labels: object }[] }>(
        online.api(`/api/v1/agents?selector=${query}`),
      );
      return json.agents;
    };
    const put = await change(online, id, "PUT", { team: "payments", site: "a" });
    expect([put.status, put.json]).toEqual([
      200,
      { labels: { team: "payments", site: "a" }, own: { env: "prod" }, shadowed: [] },
    ]);
    expect(await found("team=payments,env=prod")).toMatchObject([
      { id, labels: { env: "prod", team: "payments", site: "a" } },
    ]);
    await change(online, id, "PATCH", { team: "search", site: null });
    expect((await change(online, id, "GET")).json.labels).toEqual({ team: "search" });
    expect(await found("team=payments")).toEqual([]);
    await change(online, id, "DELETE");
    expect(await found("team")).toEqual([]);
  });

  it("stay when the agent describes itself anew, and bring it what is for them", async () => {
    const online = await startTestServer();
    const { agent, id } = await join(online, { env: "prod" });
    const options = { method: "POST", body: "receivers:\n" };
    await fetchJson(online.api("/api/v1/config?selector=team%3Dpayments&strategy=immediate"), options);
    expect(agent.unread).toBe(0);
    await change(online, id, "PUT", { team: "payments" });
    expect((await agent.receive()).remoteConfig).toBeDefined();
    await agent.exchange(agent.speaker.full({}));
    const { json } = await fetchJson(online.api(`/api/v1/agents/${id}`));
    expect(json.labels).toEqual({ env: "prod", team: "payments" });
  });

  it("are there again after a restart of the server, also for an agent that has nothing new to say", async () => {
    const storage = { ...testSettings.storage, directory: tempDir() };
    const clock = new ManualClock();
    const server = await startServer({ ...testSettings, storage }, { clock, log: new LogBook() });
    const before = { server, clock, api: (path: string) => new URL(path, server.managementUrl).href };
    const { agent, id } = await join(before, { env: "prod" });
    await change(before, id, "PUT", { team: "payments" });
    await agent.close();
    await server.close();
    const after = await startTestServer({ storage });
    const { uid } = agent.speaker;
    const { agent: again } = await RawWebSocketAgent.join(after.server.opampUrl, {
      uid,
      attributes: { env: "prod" },
    });
    onTestFinished(() => again.socket.terminate());
    const { json } = await fetchJson(after.api(`/api/v1/agents/${id}`));
    expect(json.labels).toEqual({ env: "prod", team: "payments" });
  });

  it("never say otherwise than the agent itself", async () => {
    const online = await startTestServer();
    const { agent, id } = await join(online, { env: "prod" });
    const refused = await change(online, id, "PUT", { env: "dev" });
    expect([refused.status, refused.json.type]).toEqual([409, "/api/v1/docs#label-of-agent"]);
    await change(online, id, "PUT", { site: "a" });
    const own = (value: string) => ({
      key: "site",
      value: { value: { case: "stringValue" as const, value } },
    });
    await agent.exchange({ agentDescription: { identifyingAttributes: [own("b")] } });
    expect((await change(online, id, "GET")).json).toEqual({
      labels: { site: "a" },
      own: { site: "b" },
      shadowed: ["site"],
    });
    expect((await fetchJson(online.api(`/api/v1/agents/${id}`))).json.labels).toEqual({ site: "b" });
    expect((await change(online, id, "PATCH", { team: "x" })).status).toBe(200);
  });

  it.each([
    [{ "a b": "x" }],
    [{ "a>": "x" }],
    [{ uid: "x" }],
    [{ "capability:AcceptsPackages": "x" }],
    [{ a: 1 }],
    [{ a: "x".repeat(257) }],
    [Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`l${index}`, ""]))],
  ])("are refused when they are %j", async (labels) => {
    const online = await startTestServer();
    const { id } = await join(online, {});
    const { status, json } = await change(online, id, "PUT", labels);
    expect([status, json.type]).toEqual([400, "/api/v1/docs#bad-body"]);
    expect((await change(online, id, "GET")).json.labels).toEqual({});
  });

  it("are not changed over somebody else's change", async () => {
    const online = await startTestServer();
    const { id } = await join(online, {});
    const { headers } = await fetchBytes(online.api(`/api/v1/agents/${id}/labels`));
    const since = { "if-match": String(headers.etag) };
    expect((await change(online, id, "PUT", { a: "1" }, since)).status).toBe(200);
    expect((await change(online, id, "PUT", { a: "2" }, since)).status).toBe(412);
  });
});

describe("OperatorLabels", () => {
  it("are there again after a restart, and tell whose another server changed", async () => {
    const database = await testDatabase();
    const [one, other] = [await OperatorLabels.open(database), await OperatorLabels.open(database)];
    await one.replace("a", { team: "x" });
    await one.replace("b", { team: "y" });
    expect((await other.refresh()).sort()).toEqual(["a", "b"]);
    await one.replace("a", {});
    await one.replace("b", { team: "y" });
    expect(await other.refresh()).toEqual(["a"]);
    expect([other.get("a"), other.get("b")]).toEqual([{}, { team: "y" }]);
    expect((await OperatorLabels.open(database)).get("b")).toEqual({ team: "y" });
  });
});
