import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { startServer } from "../../../src/server/server.ts";
import type { ListenerTls } from "../../../src/server/settings/server-settings.ts";
import { loadTlsMaterial } from "../../../src/server/tls-material.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { fetchBytes, fetchJson, RawHttpAgent, RawWebSocketAgent } from "../../support/raw-agent.ts";
import { type Credentials, TestAuthority } from "../../support/test-authority.ts";
import { LogBook, startTestServer, testSettings } from "./test-server.ts";

let authority: TestAuthority;
let clientAuthority: TestAuthority;
let serverCredentials: Credentials;
let agentCredentials: Credentials;

beforeAll(async () => {
  [authority, clientAuthority] = await Promise.all([
    TestAuthority.create("servers"),
    TestAuthority.create("agents"),
  ]);
  serverCredentials = await authority.issue({ name: "server" });
  agentCredentials = await clientAuthority.issue({ name: "agent" });
});

/** A client learns it as an alert or, when it was still writing, as a broken connection. */
const refused = /alert|hang up|ECONNRESET|EPIPE/;

const tlsOf = (credentials: Credentials, more: Partial<ListenerTls> = {}): ListenerTls => ({
  certificate: { pem: credentials.cert },
  key: { pem: credentials.key },
  clientCa: undefined,
  minVersion: "1.2",
  ...more,
});

const withTls = (opamp: ListenerTls | undefined, management: ListenerTls | undefined) => ({
  opamp: { ...testSettings.opamp, tls: opamp },
  management: { ...testSettings.management, tls: management },
});

describe("TLS", () => {
  it("serves both transports and the management API", async () => {
    const tls = tlsOf(serverCredentials);
    const { server, api } = await startTestServer(withTls(tls, tls));
    expect([server.opampUrl.protocol, server.managementUrl.protocol]).toEqual(["wss:", "https:"]);
    const trust = { ca: authority.cert };
    const { agent } = await RawWebSocketAgent.join(server.opampUrl, { tls: trust });
    onTestFinished(() => agent.socket.terminate());
    const polling = new RawHttpAgent(server.opampUrl, { tls: trust });
    await polling.exchange(polling.speaker.full({}));
    const { json } = await fetchJson<{ agents: unknown[] }>(api("/api/v1/agents"), trust);
    expect(json.agents).toHaveLength(2);
  });

  it("asks Agents for a certificate without locking a probe or browser out of the management listener", async () => {
    const { server, api, log } = await startTestServer(
      withTls(
        tlsOf(serverCredentials, { clientCa: { pem: clientAuthority.cert } }),
        tlsOf(serverCredentials),
      ),
    );
    const trust = { ca: authority.cert };
    expect((await fetchJson(api("/ready"), trust)).status).toBe(200);

    await expect(RawWebSocketAgent.connect(server.opampUrl, { tls: trust })).rejects.toThrow(refused);
    const stranger = await authority.issue({ name: "stranger" });
    const strange = { ...trust, ...stranger };
    await expect(RawWebSocketAgent.connect(server.opampUrl, { tls: strange })).rejects.toThrow(refused);
    expect(log.of("agent_connected")).toEqual([]);

    const known = { ...trust, ...agentCredentials };
    const { agent } = await RawWebSocketAgent.join(server.opampUrl, { tls: known });
    onTestFinished(() => agent.socket.terminate());
    expect(server.fleet.list()).toHaveLength(1);
  });

  it("takes over files that change for new connections, keeps the open ones, and does without what is half written", async () => {
    const dir = await mkdtemp(join(tmpdir(), "opamp-tls-"));
    onTestFinished(() => rm(dir, { recursive: true }));
    const file = (name: string) => join(dir, name);
    const put = async (part: Partial<Credentials> & { ca?: string }) => {
      for (const [name, text] of Object.entries(part)) await writeFile(file(name), text);
    };
    await put({ ...serverCredentials, ca: clientAuthority.cert });
    const tls = {
      certificate: { file: file("cert") },
      key: { file: file("key") },
      clientCa: { file: file("ca") },
      minVersion: "1.2" as const,
    };
    const { server, clock, log } = await startTestServer(withTls(tls, undefined));
    const trust = { ca: authority.cert };
    const { agent } = await RawWebSocketAgent.join(server.opampUrl, {
      tls: { ...trust, ...agentCredentials },
    });
    onTestFinished(() => agent.socket.terminate());

    const others = await TestAuthority.create("other agents");
    const renewed = await (await TestAuthority.create("other servers")).issue({ name: "server" });
    await put({ cert: renewed.cert });
    clock.advance(30_000);
    expect(log.of("tls_reload_failed")).toMatchObject([
      { setting: "opamp.tls", error: expect.stringContaining("does not belong") as string },
    ]);
    const polling = new RawHttpAgent(server.opampUrl, { tls: { ...trust, ...agentCredentials } });
    await polling.exchange(polling.speaker.full({}));

    await put({ ...(await authority.issue({ name: "renewed" })), ca: others.cert });
    clock.advance(10_000);
    expect(log.of("tls_reloaded")).toHaveLength(1);
    await expect(
      RawWebSocketAgent.connect(server.opampUrl, { tls: { ...trust, ...agentCredentials } }),
    ).rejects.toThrow(refused);
    const late = await others.issue({ name: "late" });
    const newcomer = await RawWebSocketAgent.join(server.opampUrl, { tls: { ...trust, ...late } });
    onTestFinished(() => newcomer.agent.socket.terminate());
    await agent.exchange({});
  });

  it("refuses clients below the minimum version", async () => {
    const { api } = await startTestServer(
      withTls(undefined, tlsOf(serverCredentials, { minVersion: "1.3" })),
    );
    const trust = { ca: authority.cert };
    await expect(fetchBytes(api("/health"), { ...trust, maxVersion: "TLSv1.2" })).rejects.toThrow(
      /alert|version/i,
    );
    expect((await fetchBytes(api("/health"), trust)).status).toBe(200);
  });
});

describe("loadTlsMaterial", () => {
  it("reads files and names the one that is missing or wrong", async () => {
    const folder = await mkdtemp(join(tmpdir(), "opamp-server-tls-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    const file = async (name: string, text: string) => {
      await writeFile(join(folder, name), text);
      return { file: join(folder, name) };
    };
    const certificate = await file("cert.pem", serverCredentials.cert);
    const key = await file("key.pem", serverCredentials.key);
    const load = (more: Partial<ListenerTls>) =>
      loadTlsMaterial({ ...tlsOf(serverCredentials), certificate, key, ...more }, "opamp.tls");
    expect(load({})).toMatchObject({ requestCert: false, minVersion: "TLSv1.2" });

    const missing = { file: join(folder, "none.pem") };
    expect(() => load({ certificate: missing })).toThrow(/opamp\.tls\.cert_file: cannot read .*none\.pem/);
    expect(() => load({ clientCa: missing })).toThrow(/opamp\.tls\.client_ca_file: cannot read .*none\.pem/);
    expect(() => load({ key: certificate })).toThrow(
      /opamp\.tls\.key_file: .*cert\.pem is not a PEM private key/,
    );
    expect(() => load({ clientCa: key })).toThrow(/opamp\.tls\.client_ca_file: .*not a PEM certificate/);
    const other = await authority.issue({ name: "other" });
    expect(() => load({ key: { pem: other.key } })).toThrow(
      "opamp.tls: the key does not belong to the certificate",
    );
  });

  it("shows nothing of a key in its errors", () => {
    const secret = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n";
    const load = () => loadTlsMaterial({ ...tlsOf(serverCredentials), key: { pem: secret } }, "opamp.tls");
    expect(load).toThrow("opamp.tls.key_pem is not a PEM private key");
    expect(load).not.toThrow("c2VjcmV0");
  });
});

describe("a port in use", () => {
  it.each(["opamp", "management"] as const)(
    "of %s is named, with what to do, and nothing stays open",
    async (section) => {
      const { server } = await startTestServer();
      const taken = Number((section === "opamp" ? server.opampUrl : server.managementUrl).port);
      const settings = {
        ...testSettings,
        [section]: { ...testSettings[section], address: { host: "127.0.0.1", port: taken } },
      };
      const log = new LogBook();
      await expect(startServer(settings, { clock: new ManualClock(), log })).rejects.toThrow(
        `${section}.endpoint: port ${taken} on 127.0.0.1 is in use by another process: stop that one, or set ${section}.endpoint`,
      );
      expect(log.of("listening")).toEqual([]);
    },
  );
});
