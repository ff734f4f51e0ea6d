import { once } from "node:events";
import { connect } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { AgentCapability } from "../../../../src/opamp/bits.ts";
import { formatInstanceUid } from "../../../../src/opamp/instance-uid.ts";
import { RemoteConfigStatuses } from "../../../../src/opamp/messages.ts";
import {
  fetchBytes,
  fetchJson,
  type RawAgentOptions,
  RawHttpAgent,
  RawWebSocketAgent,
  type Report,
  usualCapabilities,
} from "../../../support/raw-agent.ts";
import { startTestServer, type TestServer, yaml } from "../test-server.ts";

const text = "receivers:\n  otlp:\nexporters:\n  debug:\n";
const restartable = usualCapabilities | AgentCapability.AcceptsRestartCommand;

async function join({ server }: TestServer, options: RawAgentOptions = {}, report: Report = {}) {
  const { agent } = await RawWebSocketAgent.join(server.opampUrl, options, report);
  onTestFinished(() => agent.socket.terminate());
  return { agent, id: formatInstanceUid(agent.speaker.uid) };
}

interface Problem {
  title: string;
  status: number;
  detail: string;
}

async function problemOf(url: string, options: Parameters<typeof fetchJson>[1] = {}): Promise<Problem> {
  const answer = await fetchJson<Problem>(url, options);
  expect(answer.headers["content-type"]).toBe("application/problem+json");
  expect(answer.json).toMatchObject({
    type: expect.stringMatching(/^\/api\/v1\/docs#[a-z-]+$/),
    title: expect.any(String),
    status: answer.status,
    detail: expect.any(String),
  });
  return answer.json;
}

describe("probes", () => {
  it("say that the server lives and serves", async () => {
    const { api } = await startTestServer();
    expect((await fetchJson(api("/health"))).json).toEqual({ status: "ok" });
    expect((await fetchJson(api("/ready"))).json).toEqual({ status: "ready" });
    expect((await fetchBytes(api("/health"), { method: "HEAD" })).body).toHaveLength(0);
  });
});

describe("GET /api/v1/agents", () => {
  it("lists what each Agent said about itself", async () => {
    const online = await startTestServer();
    expect((await fetchJson(online.api("/api/v1/agents"))).json).toEqual({ agents: [] });
    const { id } = await join(
      online,
      { attributes: { "service.version": "0.149.0", env: "prod" } },
      {
        health: { healthy: true, status: "StatusOK", startTimeUnixNano: 1_767_225_600_000_000_000n },
        remoteConfigStatus: {
          lastRemoteConfigHash: Buffer.from("0a0b", "hex"),
          status: RemoteConfigStatuses.RemoteConfigStatuses_APPLIED,
        },
      },
    );
    const { json } = await fetchJson(online.api("/api/v1/agents"));
    expect(json).toEqual({
      agents: [
        {
          id,
          connected: true,
          condition: "healthy",
          transport: "websocket",
          remote_addr: expect.stringMatching(/^127\.0\.0\.1/),
          version: "0.149.0",
          labels: { "service.version": "0.149.0", env: "prod" },
          capabilities: [
            "ReportsStatus",
            "AcceptsRemoteConfig",
            "ReportsEffectiveConfig",
            "ReportsHealth",
            "ReportsRemoteConfig",
          ],
          health: { healthy: true, status: "StatusOK", start_time: "2026-01-01T00:00:00.000Z" },
          config_hash: "0a0b",
          remote_config_status: { status: "APPLIED", hash: "0a0b" },
          desired_config_hash: null,
          packages: null,
          packages_hash: null,
          desired_packages_hash: null,
          connection_settings_status: null,
          desired_connections_hash: null,
          first_seen: "2026-01-01T00:00:00.000Z",
          last_seen: "2026-01-01T00:00:00.000Z",
          sequence: 0,
        },
      ],
    });
  });

  it("keeps the applied hash while a later one fails, and shows why", async () => {
    const online = await startTestServer();
    const { agent } = await join(online);
    const status = (hash: string, value: number, errorMessage = "") => ({
      remoteConfigStatus: { lastRemoteConfigHash: Buffer.from(hash, "hex"), status: value, errorMessage },
    });
    await agent.exchange(status("0a", RemoteConfigStatuses.RemoteConfigStatuses_APPLIED));
    await agent.exchange(status("0b", RemoteConfigStatuses.RemoteConfigStatuses_FAILED, "line 3"));
    await agent.exchange({ agentDisconnect: {} });
    const { json } = await fetchJson<{ agents: unknown[] }>(online.api("/api/v1/agents"));
    expect(json.agents).toMatchObject([
      {
        connected: false,
        config_hash: "0a",
        remote_config_status: { status: "FAILED", hash: "0b", error: "line 3" },
      },
    ]);
  });

  it("takes a selector, and says where one is wrong", async () => {
    const online = await startTestServer();
    const prod = await join(online, { attributes: { env: "prod" } });
    await join(online, { attributes: { env: "dev" } });
    const list = (selector: string) =>
      fetchJson<{ agents: { id: string }[] }>(
        online.api(`/api/v1/agents?selector=${encodeURIComponent(selector)}`),
      );
    expect((await list("env=prod")).json.agents.map(({ id }) => id)).toEqual([prod.id]);
    expect((await list(`uid=${prod.id}`)).json.agents).toHaveLength(1);
    expect((await list("env in (prod, dev)")).json.agents).toHaveLength(2);
    expect(await problemOf(online.api("/api/v1/agents?selector=env%20prod"))).toMatchObject({
      status: 400,
      detail: expect.stringContaining("at character 5"),
    });
  });
});

describe("GET /api/v1/agents/{instance_uid}", () => {
  it("adds the effective configuration and the rest that is large", async () => {
    const online = await startTestServer();
    const { id } = await join(
      online,
      { capabilities: usualCapabilities | AgentCapability.ReportsAvailableComponents },
      {
        health: {
          healthy: false,
          lastError: "one is down",
          componentHealthMap: { "pipeline:logs": { healthy: false } },
        },
        effectiveConfig: { configMap: { configMap: { "": { body: Buffer.from("a: ü\n") } } } },
        packageStatuses: { packages: { "": { name: "", agentHasVersion: "1", status: 0 } } },
        availableComponents: {
          hash: Buffer.from("x"),
          components: { receivers: { subComponentMap: { otlp: {} } } },
        },
      },
    );
    const { json } = await fetchJson(online.api(`/api/v1/agents/${id.toUpperCase()}`));
    expect(json).toMatchObject({
      id,
      health: {
        healthy: false,
        last_error: "one is down",
        components: { "pipeline:logs": { healthy: false } },
      },
      effective_config: { "": "a: ü\n" },
      packages: { "": { version: "1", status: "INSTALLED" } },
      components: { receivers: { otlp: {} } },
    });
  });

  it("answers 404 for one never heard, 400 for no UUID", async () => {
    const { api } = await startTestServer();
    const none = await problemOf(api("/api/v1/agents/0198c0de-0000-7000-8000-00000000000a"));
    expect(none.status).toBe(404);
    expect((await problemOf(api("/api/v1/agents/web1"))).status).toBe(400);
    expect((await problemOf(api("/api/v1/agents/%zz"))).status).toBe(400);
  });
});

describe("POST /api/v1/config", () => {
  it.each(["text/yaml", "application/x-www-form-urlencoded", "application/json", undefined])(
    "takes the YAML itself under content type %s and says whom it reached",
    async (contentType) => {
      const online = await startTestServer();
      const { agent } = await join(online, { attributes: { env: "prod" } });
      const deaf = await join(online, {
        capabilities: AgentCapability.ReportsStatus,
        attributes: { env: "prod" },
      });
      await join(online, { attributes: { env: "dev" } });
      const headers = contentType === undefined ? {} : { "content-type": contentType };
      const answer = await fetchJson(online.api("/api/v1/config?selector=env=prod"), {
        method: "POST",
        headers,
        body: text,
      });
      expect(answer.status).toBe(200);
      expect(answer.json).toEqual({
        config_hash: yaml(text).hashHex,
        selector: "env=prod",
        rollout: expect.any(String),
        strategy: "immediate",
        matched: 2,
        offered: 1,
        pending: [],
        skipped: [{ id: deaf.id, reason: "does not accept remote configuration" }],
      });
      const offer = await agent.receive();
      expect(Buffer.from(offer.remoteConfig!.config!.configMap[""]!.body).toString()).toBe(text);
    },
  );

  it("shows as the desired configuration from then on", async () => {
    const online = await startTestServer();
    await join(online);
    await fetchJson(online.api("/api/v1/config"), { method: "POST", body: text });
    const { json } = await fetchJson(online.api("/api/v1/agents"));
    expect(json).toMatchObject({ agents: [{ desired_config_hash: yaml(text).hashHex, config_hash: null }] });
  });

  it.each([
    ["a body without its newlines, as curl -d sends it", "", text.replaceAll("\n", ""), /--data-binary/],
    ["broken YAML, by its line", "", "a: 1\nb: [\n", /line \d/],
    ["a body that is no mapping", "", "- a\n", /mapping/],
    ["an empty body", "", "", /empty=true/],
    ["empty=true with a body", "?empty=true", text, /not empty/],
    ["an unclear empty=", "?empty=yes", "", /true or false/],
    ["an empty selector", "?selector=", text, /leave it out/],
    ["a mistyped parameter", "?selectr=env=prod", text, /"selectr" is not a parameter/],
    ["an & in a selector", "?selector=a=b&c=d", text, /%26/],
    ["two selectors", "?selector=a=b&selector=c=d", text, /once/],
  ])("refuses %s, and changes nothing", async (_, query, body, detail) => {
    const online = await startTestServer();
    const { agent } = await join(online);
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    const problem = await problemOf(online.api(`/api/v1/config${query}`), { method: "POST", headers, body });
    expect(problem.status).toBe(400);
    expect(problem.detail).toMatch(detail);
    expect((await agent.exchange({})).remoteConfig).toBeUndefined();
  });

  it("orders the Collector to stop only with empty=true (SC5)", async () => {
    const online = await startTestServer();
    const { agent } = await join(online);
    const answer = await fetchJson(online.api("/api/v1/config?empty=true"), { method: "POST" });
    expect(answer.json).toMatchObject({ matched: 1, offered: 1 });
    expect((await agent.receive()).remoteConfig!.config!.configMap).toEqual({});
  });

  it("refuses a body over the limit, announced or not", async () => {
    const { api } = await startTestServer();
    const body = `a: "${"x".repeat(70_000)}"\n`;
    expect(await problemOf(api("/api/v1/config"), { method: "POST", body })).toMatchObject({
      status: 413,
      detail: expect.stringContaining("max_body_size"),
    });
    const headers = { "transfer-encoding": "chunked" };
    const chunked = await fetchJson(api("/api/v1/config"), { method: "POST", headers, body });
    expect([chunked.status, chunked.headers.connection]).toEqual([413, "close"]);
  });

  it("is closed to web pages from elsewhere", async () => {
    const { api, server } = await startTestServer();
    const push = (headers: Record<string, string>) =>
      fetchJson(api("/api/v1/config"), { method: "POST", headers, body: text });
    expect((await push({ origin: "https://evil.example" })).status).toBe(403);
    expect((await push({ origin: "null" })).status).toBe(403);
    expect((await push({ "sec-fetch-site": "cross-site" })).status).toBe(403);
    expect((await push({ origin: server.managementUrl.origin })).status).toBe(200);
  });
});

describe("POST /api/v1/agents/{instance_uid}/restart", () => {
  it("sends the command alone (SX1)", async () => {
    const online = await startTestServer();
    const { agent, id } = await join(online, { capabilities: restartable });
    const answer = await fetchJson(online.api(`/api/v1/agents/${id}/restart`), { method: "POST" });
    expect([answer.status, answer.json]).toEqual([202, { id, sent: true }]);
    const message = await agent.receive();
    expect(message.command).toBeDefined();
    expect(message.instanceUid).toEqual(agent.speaker.uid);
    expect(message.remoteConfig).toBeUndefined();
    expect(message.flags).toBe(0n);
  });

  it("waits for the poll of an Agent on plain HTTP, and goes alone there too (SX1)", async () => {
    const online = await startTestServer();
    const agent = new RawHttpAgent(online.server.opampUrl, { capabilities: restartable });
    await agent.exchange(agent.speaker.full({}));
    const id = formatInstanceUid(agent.speaker.uid);
    await fetchJson(online.api("/api/v1/config"), { method: "POST", body: text });
    const answer = await fetchJson(online.api(`/api/v1/agents/${id}/restart`), { method: "POST" });
    expect([answer.status, answer.json]).toEqual([202, { id, sent: false, reason: "sent at its next poll" }]);
    const poll = await agent.exchange({});
    expect(poll.command).toBeDefined();
    expect(poll.remoteConfig).toBeUndefined();
    const next = await agent.exchange({});
    expect(next.command).toBeUndefined();
    expect(next.remoteConfig).toBeDefined();
  });

  it("asks a polling Agent for what is missing before it has it restarted", async () => {
    const online = await startTestServer();
    const agent = new RawHttpAgent(online.server.opampUrl, { capabilities: restartable });
    await agent.exchange(agent.speaker.full({}));
    const restart = online.api(`/api/v1/agents/${formatInstanceUid(agent.speaker.uid)}/restart`);
    await fetchJson(restart, { method: "POST" });
    const poll = await agent.exchange({ sequenceNum: 9n });
    expect([poll.flags, poll.command]).toEqual([1n, undefined]);
    expect((await agent.exchange(agent.speaker.full({}))).command).toBeDefined();
  });

  it("is forgotten when the Agent goes before its poll, or can do it no longer (SS4)", async () => {
    const online = await startTestServer();
    const agent = new RawHttpAgent(online.server.opampUrl, { capabilities: restartable });
    await agent.exchange(agent.speaker.full({}));
    const restart = online.api(`/api/v1/agents/${formatInstanceUid(agent.speaker.uid)}/restart`);
    await fetchJson(restart, { method: "POST" });
    online.clock.advance(200_000);
    expect((await agent.exchange({})).command).toBeUndefined();
    await fetchJson(restart, { method: "POST" });
    expect((await agent.exchange({ capabilities: usualCapabilities })).command).toBeUndefined();
    expect((await agent.exchange({ capabilities: restartable })).command).toBeUndefined();
  });

  it("is refused without the capability (SS4), and for an Agent that is gone", async () => {
    const online = await startTestServer();
    const unable = await join(online);
    const gone = await join(online, { capabilities: restartable });
    await gone.agent.exchange({ agentDisconnect: {} });
    const restart = (id: string) => problemOf(online.api(`/api/v1/agents/${id}/restart`), { method: "POST" });
    expect(await restart(unable.id)).toMatchObject({
      status: 409,
      detail: expect.stringContaining("AcceptsRestartCommand"),
    });
    expect(await restart(gone.id)).toMatchObject({
      status: 409,
      detail: expect.stringContaining("not connected"),
    });
    expect(unable.agent.unread).toBe(0);
  });
});

describe("other requests", () => {
  it("answers an unknown path with an error that names the API", async () => {
    const { api } = await startTestServer();
    for (const path of ["/", "/v1/opamp", "/api/v1", "/api/v1/agents/", "/api/v1/agents/a/b/c"]) {
      const { status, detail } = await problemOf(api(path));
      expect([path, status]).toEqual([path, 404]);
      expect(detail).toContain("/api/v1/agents");
    }
  });

  it("answers a wrong method with those that are right", async () => {
    const { api } = await startTestServer();
    const answer = await fetchJson<Problem>(api("/api/v1/config"));
    expect([answer.status, answer.headers.allow]).toEqual([405, "POST"]);
    for (const method of ["DELETE", "PROPFIND", "OPTIONS"]) {
      expect((await problemOf(api("/api/v1/agents"), { method })).status).toBe(405);
    }
  });

  it("answers HEAD with the headers of GET", async () => {
    const { api } = await startTestServer();
    const get = await fetchBytes(api("/api/v1/agents"));
    const head = await fetchBytes(api("/api/v1/agents"), { method: "HEAD" });
    expect([head.status, head.body.length]).toEqual([200, 0]);
    expect(head.headers["content-length"]).toBe(String(get.body.length));
    expect(head.headers["content-type"]).toBe("application/json");
  });

  it("names the fields that are wrong", async () => {
    const { api } = await startTestServer();
    const query = await fetchJson(api("/api/v1/config?empty=yes"), { method: "POST" });
    expect(query.json).toMatchObject({
      type: "/api/v1/docs#bad-query-parameter",
      errors: [{ in: "query", field: "empty", message: 'must be true or false, not "yes"' }],
    });
    const body = '{"packages":{"collector":1},"selectr":""}';
    const offer = await fetchJson<{ errors: unknown }>(api("/api/v1/packages/offer"), {
      method: "POST",
      body,
    });
    expect(offer.json.errors).toMatchObject([
      { in: "body", field: "packages.collector" },
      { in: "body", field: "selectr" },
    ]);
  });

  it("survives a client that breaks off in its body", async () => {
    const { api, server } = await startTestServer();
    const socket = connect(Number(server.managementUrl.port), "127.0.0.1");
    await once(socket, "connect");
    socket.write("POST /api/v1/config HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nabc");
    socket.destroy();
    expect((await fetchJson(api("/health"))).status).toBe(200);
  });
});
