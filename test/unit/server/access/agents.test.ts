import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { SignJWT } from "jose";
import { describe, expect, it, onTestFinished } from "vitest";
import { formatInstanceUid, newInstanceUid } from "../../../../src/opamp/instance-uid.ts";
import type { AccessSettings } from "../../../../src/server/settings/server-settings.ts";
import { fetchBytes, fetchJson, RawHttpAgent, RawWebSocketAgent } from "../../../support/raw-agent.ts";
import { tempDir } from "../../../support/temp-dir.ts";
import { startTestServer, type TestServer, testSettings } from "../test-server.ts";

const secret = "a secret of no less than thirty-two bytes";

function demanding(agents: Partial<AccessSettings["agents"]> = {}): Promise<TestServer> {
  const required = { ...testSettings.access.agents, required: true, ...agents };
  return startTestServer({ access: { ...testSettings.access, agents: required } });
}

function jwtSettings(): NonNullable<AccessSettings["agents"]["jwt"]> {
  const secretFile = join(tempDir(), "secret");
  writeFileSync(secretFile, secret);
  return { issuer: "fleet", audience: "opamp", secretFile, publicKeyFile: undefined, jwksUrl: undefined };
}

const tokenFor = (uid: string, { audience = "opamp", expires = "5m", key = secret } = {}) =>
  new SignJWT()
    .setProtectedHeader({ alg: "HS256" })
    .setIssuer("fleet")
    .setAudience(audience)
    .setSubject(uid)
    .setExpirationTime(expires)
    .sign(Buffer.from(key));

const withToken = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });

async function enter(server: TestServer, options: Parameters<typeof RawWebSocketAgent.connect>[1] = {}) {
  const { agent, answer } = await RawWebSocketAgent.join(server.server.opampUrl, options);
  onTestFinished(() => agent.socket.terminate());
  return { agent, answer };
}

async function agentKey({ api }: TestServer, more: object = {}) {
  const body = JSON.stringify({ name: "edge", role: "agent", ...more });
  return (await fetchJson<{ id: string; secret: string }>(api("/api/v1/tokens"), { method: "POST", body }))
    .json;
}

describe("an Agent", () => {
  it("is refused without credentials where they are required, on both transports", async () => {
    const server = await demanding();
    await expect(RawWebSocketAgent.connect(server.server.opampUrl)).rejects.toThrow("401");
    const polling = new RawHttpAgent(server.server.opampUrl);
    await expect(polling.exchange({})).rejects.toThrow(/401.*client certificate/s);
  });

  it("is let in by an API key for agents, and cut off when that is revoked", async () => {
    const server = await demanding();
    const key = await agentKey(server);
    const { agent } = await enter(server, withToken(key.secret));
    const { agent: other } = await enter(server, withToken((await agentKey(server)).secret));
    await fetchBytes(server.api(`/api/v1/tokens/${key.id}`), { method: "DELETE" });
    expect(await agent.closed).toEqual({ code: 1008, reason: "the credential was revoked" });
    await expect(RawWebSocketAgent.connect(server.server.opampUrl, withToken(key.secret))).rejects.toThrow(
      "401",
    );
    await other.exchange({});
  });

  it("is not let in by a key of people", async () => {
    const server = await demanding();
    const key = await agentKey(server, { role: "admin" });
    await expect(RawWebSocketAgent.connect(server.server.opampUrl, withToken(key.secret))).rejects.toThrow(
      "401",
    );
  });

  it("can use a key no more often than it says", async () => {
    const server = await demanding();
    const key = await agentKey(server, { uses: 1 });
    await enter(server, withToken(key.secret));
    await expect(RawWebSocketAgent.connect(server.server.opampUrl, withToken(key.secret))).rejects.toThrow(
      "401",
    );
  });

  it("is let in by a token, and speaks for the instance UID in it and for no other", async () => {
    const server = await demanding({ jwt: jwtSettings() });
    const uid = newInstanceUid(Date.now());
    const token = await tokenFor(formatInstanceUid(uid));
    const { answer } = await enter(server, { uid, ...withToken(token) });
    expect(answer.errorResponse).toBeUndefined();
    const { agent, answer: refusal } = await enter(server, withToken(token));
    expect(refusal.errorResponse?.errorMessage).toContain(`is for instance UID ${formatInstanceUid(uid)}`);
    const known = await fetchJson<{ agents: { id: string }[] }>(server.api("/api/v1/agents"));
    expect(known.json.agents.map(({ id }) => id)).not.toContain(formatInstanceUid(agent.speaker.uid));
  });

  it.each([
    ["for another audience", { audience: "other" }],
    ["that is over", { expires: "-5m" }],
    ["signed by somebody else", { key: "another secret of thirty-two bytes or more" }],
  ])("is refused with a token %s", async (_case, options) => {
    const server = await demanding({ jwt: jwtSettings() });
    const token = await tokenFor(formatInstanceUid(newInstanceUid(Date.now())), options);
    await expect(RawWebSocketAgent.connect(server.server.opampUrl, withToken(token))).rejects.toThrow("401");
  });

  it("is let in without credentials, and with headers that nobody asked for, where none are required", async () => {
    const server = await startTestServer();
    await enter(server);
    await enter(server, withToken("whatever"));
    const { json } = await fetchJson<{ agents: unknown[] }>(server.api("/api/v1/agents"));
    expect(json.agents).toHaveLength(2);
  });

  it("is kept out by its address", async () => {
    const server = await demanding({ required: false, addresses: ["10.0.0.0/8"] });
    await expect(RawWebSocketAgent.connect(server.server.opampUrl)).rejects.toThrow("403");
  });
});
