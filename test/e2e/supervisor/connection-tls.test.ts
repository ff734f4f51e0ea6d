import { createHash, X509Certificate } from "node:crypto";
import { describe, expect, it, onTestFinished } from "vitest";
import { endpointOf, offerOf, statusesOf, verdictOn } from "../../support/connection-offers.ts";
import { RecordingOpampServer } from "../../support/recording-opamp-server.ts";
import { type SupervisorHost, supervisorHost } from "../../support/supervisor-host.ts";
import { type CertificateOptions, type Credentials, TestAuthority } from "../../support/test-authority.ts";

const encode = (text: string) => new TextEncoder().encode(text);

const pinOf = (pem: string) =>
  createHash("sha256")
    .update(new X509Certificate(pem).publicKey.export({ type: "spki", format: "der" }))
    .digest("base64");

async function secureServer(credentials: Credentials, options: object = {}): Promise<RecordingOpampServer> {
  const server = await RecordingOpampServer.start({ tls: { ...credentials, ...options } });
  onTestFinished(() => server[Symbol.asyncDispose]());
  return server;
}

/** A host that talks to its server over TLS, and trusts one authority. */
async function secureHost(authority: TestAuthority, tls: object = {}): Promise<SupervisorHost> {
  const host = await supervisorHost({
    capabilities: { accepts_opamp_connection_settings: true },
    server: "down",
  });
  const endpoint = `wss://127.0.0.1:${host.ports.opamp}/v1/opamp`;
  await host.writeSettings({}, {}, { server: { endpoint, tls: { ca_pem: authority.cert, ...tls } } });
  return host;
}

describe("offered connection settings with TLS", () => {
  it.each(["wss", "https"] as const)(
    "AN3 leads to no server over %s whose certificate is not good, and is kept by no such server",
    { timeout: 90_000 },
    async (scheme) => {
      const authority = await TestAuthority.create();
      const foreign = await TestAuthority.create("Foreign CA");
      const host = await secureHost(authority);
      const own = await authority.issue();
      await host.startServer({ tls: own });
      const supervisor = await host.startHealthy();
      const bad: [TestAuthority, CertificateOptions, RegExp][] = [
        [authority, { notAfter: new Date(Date.now() - 1_000) }, /expired/],
        [authority, { names: [{ type: "dns", value: "elsewhere.example" }] }, /127\.0\.0\.1|altnames/],
        [foreign, {}, /unable to verify|issuer|self-signed/],
      ];
      for (const [index, [issuer, options, reason]] of bad.entries()) {
        const server = await secureServer(await issuer.issue(options));
        host.server.push(offerOf(index + 1, endpointOf(server.port, scheme)));
        expect(await verdictOn(host.server, index + 1)).toMatch(reason);
        expect(server.received).toEqual([]);
      }
      expect(host.server.received.some(({ message }) => message.agentDisconnect)).toBe(false);
      // A foreign authority is fine when the offer brings it: whoever may offer is trusted with that.
      const server = await secureServer(await foreign.issue());
      const tls = { caPemContents: foreign.cert, minVersion: "TLSv1.3" };
      host.server.push(offerOf(9, { ...endpointOf(server.port, scheme), tls }));
      await supervisor.waitFor("connection_settings_applied");
      await server.until("APPLIED", () => statusesOf(server, 9).at(-1) === "APPLIED", 50_000);
    },
  );

  it("is held to the pins of supervisor.yaml wherever an offer leads", async () => {
    const authority = await TestAuthority.create();
    const [own, pinned, revoked] = await Promise.all([
      authority.issue(),
      authority.issue(),
      authority.issue(),
    ]);
    const host = await secureHost(authority, { pin_sha256: [pinOf(own.cert), pinOf(pinned.cert)] });
    await host.startServer({ tls: own });
    await host.startHealthy();
    for (const [index, scheme] of (["wss", "https"] as const).entries()) {
      const server = await secureServer(revoked);
      host.server.push(offerOf(index + 1, endpointOf(server.port, scheme)));
      expect(await verdictOn(host.server, index + 1)).toContain("pin_sha256");
      expect(server.received).toEqual([]);
    }
    const good = await secureServer(pinned);
    host.server.push(offerOf(3, endpointOf(good.port, "wss")));
    await verdictOn(good, 3);
  });

  it.each([
    ["plain text", (port: number) => endpointOf(port, "ws"), "plain text"],
    ["plain HTTP", (port: number) => endpointOf(port, "http"), "plain text"],
    ["no verification", () => ({ tls: { insecureSkipVerify: true } }), "verification"],
  ] as const)("never leads from TLS to %s", async (_what, offer, reason) => {
    const authority = await TestAuthority.create();
    const host = await secureHost(authority);
    await host.startServer({ tls: await authority.issue() });
    await host.startHealthy();
    await using plain = await RecordingOpampServer.start();
    host.server.push(offerOf(1, offer(plain.port)));
    expect(await verdictOn(host.server, 1)).toContain(reason);
    expect(plain.received).toEqual([]);
    expect(host.server.openConnections).toBe(1);
  });

  it("AN8 takes a client certificate with its key, and refuses one with another's", async () => {
    const authority = await TestAuthority.create();
    const [agent, other] = await Promise.all([authority.issue({ name: "agent" }), authority.issue()]);
    const host = await secureHost(authority);
    host.secrets.push(agent.key);
    await host.startServer({ tls: await authority.issue() });
    await host.startHealthy();
    const strict = await secureServer(await authority.issue(), {
      ca: authority.cert,
      requestCert: true,
      rejectUnauthorized: true,
    });
    const endpoint = endpointOf(strict.port, "wss");
    const offer = (key: string) => ({
      ...endpoint,
      certificate: { cert: encode(agent.cert), privateKey: encode(key) },
    });
    host.server.push(offerOf(1, offer(other.key)));
    expect(await verdictOn(host.server, 1)).toContain("do not belong together");
    host.server.push(offerOf(2, endpoint));
    expect(await verdictOn(host.server, 2)).not.toBe("");
    host.server.push(offerOf(3, offer(agent.key)));
    expect(await verdictOn(strict, 3)).toBe("");
    const next = await host.restart();
    await next.waitFor("connected_to_server");
    expect(strict.openConnections).toBe(1);
  });
});
