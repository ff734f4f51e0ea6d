import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { describe, expect, it, onTestFinished } from "vitest";
import type { AccessSettings } from "../../../../src/server/settings/server-settings.ts";
import { fetchBytes, fetchJson } from "../../../support/raw-agent.ts";
import { tempDir } from "../../../support/temp-dir.ts";
import { startTestServer, type TestServer, testSettings } from "../test-server.ts";

const adminKey = `opamp_${"A".repeat(32)}`;
const configuration = "receivers:\n  otlp:\n";

/** A server that wants keys, and one of role admin. */
async function guarded(access: Partial<AccessSettings> = {}) {
  const adminKeyFile = join(tempDir(), "admin-key");
  writeFileSync(adminKeyFile, `${adminKey}\n`);
  return await startTestServer({ access: { ...testSettings.access, adminKeyFile, ...access } });
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

async function status({ api }: TestServer, path: string, token?: string, method = "GET", body?: string) {
  const headers = token === undefined ? {} : bearer(token);
  return (await fetchBytes(api(path), { method, headers, ...(body !== undefined && { body }) })).status;
}

async function newKey({ api }: TestServer, body: object) {
  const answer = await fetchJson<{ id: string; secret: string; expires_at: string; state: string }>(
    api("/api/v1/tokens"),
    {
      method: "POST",
      headers: bearer(adminKey),
      body: JSON.stringify(body),
    },
  );
  expect(answer.status).toBe(201);
  return answer.json;
}

describe("the management API", () => {
  it("is open on loopback while nothing is set up, and says so in the log", async () => {
    const server = await startTestServer();
    expect(server.log.of("management_open")).toHaveLength(1);
    const { json } = await fetchJson(server.api("/api/v1/whoami"));
    expect(json).toEqual({ name: "anonymous", role: "admin", by: "loopback" });
  });

  it("does not take a name that was made to point here for this machine", async () => {
    const server = await startTestServer();
    const headers = { host: "evil.example.com:4321" };
    const { status: answered } = await fetchBytes(server.api("/api/v1/agents"), { headers });
    expect(answered).toBe(403);
  });

  it("lets nobody in without a key once one is set up, but probes", async () => {
    const server = await guarded();
    expect(await status(server, "/api/v1/agents")).toBe(401);
    expect(await status(server, "/api/v1/config?selector=a", undefined, "POST", configuration)).toBe(401);
    expect(await status(server, "/api/v1/agents", `opamp_${"B".repeat(32)}`)).toBe(401);
    expect(await status(server, "/api/v1/agents", adminKey)).toBe(200);
    expect(await status(server, "/health")).toBe(200);
    expect(await status(server, "/ready")).toBe(200);
  });

  it("needs a key on any other address, and puts the first one into a file for its owner alone", async () => {
    const directory = tempDir();
    const server = await startTestServer({
      management: { ...testSettings.management, address: { host: "0.0.0.0", port: 0 } },
      storage: { directory, postgresUrl: undefined },
    });
    expect(await status(server, "/api/v1/agents")).toBe(401);
    const { readFileSync, statSync } = await import("node:fs");
    const file = join(directory, "admin-key");
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const key = readFileSync(file, "utf8").trim();
    expect(await status(server, "/api/v1/agents", key)).toBe(200);
    expect(JSON.stringify(server.log.lines)).not.toContain(key);
  });

  it.each([
    ["viewer", 200, 403, 403],
    ["operator", 200, 200, 403],
    ["admin", 200, 200, 200],
  ])("gives role %s what it may do", async (role, reads, changes, decides) => {
    const server = await guarded();
    const { secret } = await newKey(server, { name: `a ${role}`, role });
    expect(await status(server, "/api/v1/agents", secret)).toBe(reads);
    expect(await status(server, "/api/v1/config?selector=a", secret, "POST", configuration)).toBe(changes);
    expect(await status(server, "/api/v1/tokens", secret)).toBe(decides);
  });

  it("forgets a key that was revoked, and one that is over", async () => {
    const server = await guarded();
    const revoked = await newKey(server, { name: "first", role: "viewer" });
    expect(await status(server, `/api/v1/tokens/${revoked.id}`, adminKey, "DELETE")).toBe(204);
    expect(await status(server, "/api/v1/agents", revoked.secret)).toBe(401);

    const short = await newKey(server, { name: "second", role: "viewer", lifetime_days: 40 });
    expect(short.state).toBe("active");
    server.clock.advance(11 * 86_400_000);
    const { json } = await fetchJson<{ tokens: { id: string; state: string }[] }>(
      server.api("/api/v1/tokens"),
      {
        headers: bearer(adminKey),
      },
    );
    expect(json.tokens.find(({ id }) => id === short.id)?.state).toBe("expiring");
    expect(JSON.stringify(json)).not.toContain(short.secret);
    server.clock.advance(30 * 86_400_000);
    expect(await status(server, "/api/v1/agents", short.secret)).toBe(401);
  });

  it("lets an agent's key do nothing here", async () => {
    const server = await guarded();
    const { secret } = await newKey(server, { name: "edge", role: "agent" });
    expect(await status(server, "/api/v1/agents", secret)).toBe(401);
  });

  it("has an address wait that guesses", async () => {
    const server = await guarded();
    for (let guess = 0; guess < 20; guess += 1) {
      expect(await status(server, "/api/v1/agents", `opamp_${String(guess).padStart(32, "0")}`)).toBe(401);
    }
    expect(await status(server, "/api/v1/agents", adminKey)).toBe(429);
    server.clock.advance(61_000);
    expect(await status(server, "/api/v1/agents", adminKey)).toBe(200);
  });

  it("keeps out addresses that are not on the list, for all or for a role", async () => {
    const elsewhere = await guarded({ addresses: ["10.0.0.0/8"] });
    expect(await status(elsewhere, "/api/v1/agents", adminKey)).toBe(403);
    const here = await guarded({ addresses: ["127.0.0.1"] });
    expect(await status(here, "/api/v1/agents", adminKey)).toBe(200);
    const noAdmins = { viewer: undefined, operator: undefined, admin: ["10.0.0.0/8"] };
    expect(await status(await guarded({ roleAddresses: noAdmins }), "/api/v1/agents", adminKey)).toBe(403);
  });
});

describe("OpenID Connect", () => {
  async function issuer() {
    const { publicKey, privateKey } = await generateKeyPair("RS256");
    const web = createServer((request, response) => {
      const documents: Record<string, unknown> = {
        "/.well-known/openid-configuration": { issuer: url, jwks_uri: `${url}/keys` },
        "/keys": { keys: [{ ...jwk, alg: "RS256", kid: "1" }] },
      };
      response.end(JSON.stringify(documents[request.url ?? ""]));
    });
    const jwk = await exportJWK(publicKey);
    await new Promise<void>((resolve) => web.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void web.close());
    const url = `http://127.0.0.1:${(web.address() as AddressInfo).port}`;
    const token = (groups: string[], { audience = "fleet", expires = "5m" } = {}) =>
      new SignJWT({ email: "ann@example.com", groups })
        .setProtectedHeader({ alg: "RS256", kid: "1" })
        .setIssuer(url)
        .setAudience(audience)
        .setSubject("ann")
        .setExpirationTime(expires)
        .sign(privateKey);
    const oidc: AccessSettings["oidc"] = {
      issuer: url,
      audience: "fleet",
      groupsClaim: "groups",
      roles: { viewer: ["staff"], operator: ["sre"], admin: [] },
    };
    return { oidc, token };
  }

  it("gives the highest role of somebody's groups", async () => {
    const { oidc, token } = await issuer();
    const server = await guarded({ oidc });
    const { json } = await fetchJson(server.api("/api/v1/whoami"), {
      headers: bearer(await token(["staff", "sre"])),
    });
    expect(json).toEqual({ name: "ann@example.com", role: "operator", by: "oidc" });
  });

  it.each([
    ["of no group with a role", ["guests"], {}],
    ["for another audience", ["sre"], { audience: "other" }],
    ["that is over", ["sre"], { expires: "-5m" }],
  ])("refuses a token %s", async (_case, groups, options) => {
    const { oidc, token } = await issuer();
    const server = await guarded({ oidc });
    expect(await status(server, "/api/v1/agents", await token(groups, options))).toBe(401);
  });
});

describe("the audit log", () => {
  interface Audit {
    entries: Record<string, unknown>[];
  }
  const read = async ({ api }: TestServer, query = "") =>
    (await fetchJson<Audit>(api(`/api/v1/audit${query}`), { headers: bearer(adminKey) })).json.entries;

  it("has who changed what and why, and who tried, but no secret", async () => {
    const server = await guarded();
    const { secret } = await newKey(server, { name: "looker", role: "viewer", reason: "for the dashboard" });
    await fetchBytes(server.api("/api/v1/config?selector=env=prod"), {
      method: "POST",
      headers: { ...bearer(adminKey), "x-reason": "fix the receivers" },
      body: configuration,
    });
    await status(server, "/api/v1/config?selector=env=prod", secret, "POST", configuration);
    await status(server, "/api/v1/agents", adminKey);
    const [refused, pushed, made, ...more] = await read(server);
    expect(more).toEqual([]);
    expect(made).toMatchObject({
      actor: "admin_key_file",
      action: "POST /api/v1/tokens",
      outcome: "done",
      reason: "for the dashboard",
    });
    expect(pushed).toMatchObject({
      action: "POST /api/v1/config",
      reason: "fix the receivers",
      after: { matched: 0 },
    });
    expect(String(pushed!.target)).toContain("env=prod");
    expect(refused).toMatchObject({ actor: "looker", outcome: "refused" });
    expect(JSON.stringify([refused, pushed, made])).not.toContain(secret);
    expect(await read(server, "?text=receivers")).toEqual([pushed]);
    expect(await read(server, "?text=100%25_")).toEqual([]);
  });

  it("can be told to be whole", async () => {
    const server = await guarded();
    for (const name of ["one", "two"]) await newKey(server, { name, role: "viewer" });
    const { json } = await fetchJson(server.api("/api/v1/audit/verify"), { headers: bearer(adminKey) });
    expect(json).toEqual({
      intact: true,
      first_broken: null,
      last_hash: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
  });
});
