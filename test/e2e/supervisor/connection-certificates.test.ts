import { X509Certificate } from "node:crypto";
import type { TLSSocket } from "node:tls";
import { describe, expect, it } from "vitest";
import { statusesOf, verdictOn } from "../../support/connection-offers.ts";
import { type IssuingPki, issueCertificates, issuingPki } from "../../support/issuing-server.ts";
import { type SupervisorHost, supervisorHost } from "../../support/supervisor-host.ts";

/** As many renewals as one run makes; 1,000 take some ten minutes. */
const renewals = Number(process.env.OPAMP_TEST_RENEWALS ?? "50");
const renewalsTimeoutMs = 60_000 + 3_000 * renewals;

/** A host with a bootstrap certificate, and a server that takes no agent without one. Nothing is started. */
async function certifiedHost(
  pki: IssuingPki,
  { transport = "wss", certificate = {} }: { transport?: "wss" | "https"; certificate?: object } = {},
): Promise<SupervisorHost> {
  const host = await supervisorHost({
    capabilities: { accepts_opamp_connection_settings: true },
    server: "down",
  });
  const { secrets } = host;
  secrets.push(String(pki.bootstrapTls.key_pem));
  await host.writeSettings(
    {},
    {},
    {
      server: {
        endpoint: `${transport}://127.0.0.1:${host.ports.opamp}/v1/opamp`,
        tls: pki.bootstrapTls,
        certificate: { request: true, ...certificate },
      },
    },
  );
  return host;
}

const serialOf = (pem: string | undefined) => new X509Certificate(pem ?? "").serialNumber;

describe("a host that asks for a certificate of its own", () => {
  it.each(["wss", "https"] as const)(
    "AN19 AN22 gets one on first use over %s, and keeps it",
    async (transport) => {
      const pki = await issuingPki();
      const host = await certifiedHost(pki, { transport });
      const server = await host.startServer(pki.serverOptions);
      const issued = issueCertificates(server, pki.agentAuthority);
      const supervisor = await host.start();
      await supervisor.waitFor("certificate_renewed", { timeoutMs: 50_000 });
      expect(await verdictOn(server, 1)).toBe("");
      expect(pki.shown[0]).toBe(pki.bootstrapSerial);
      expect(pki.shown.at(-1)).toBe(serialOf(issued.certificates[0]));
      const { subject } = new X509Certificate(issued.certificates[0] ?? "");
      const { instanceUid } = server.received[0]!.message;
      expect(subject.replaceAll("-", "")).toBe(`CN=${Buffer.from(instanceUid).toString("hex")}`);
      const before = pki.shown.length;
      const next = await host.restart();
      await next.waitFor("connected_to_server");
      expect(pki.shown.slice(before)).toContain(serialOf(issued.certificates[0]));
      expect(pki.shown.slice(before)).not.toContain(pki.bootstrapSerial);
      expect(issued.requests).toHaveLength(1);
      // The key has never left the host.
      const messages = JSON.stringify(server.received, (_key, value: unknown) =>
        value instanceof Uint8Array
          ? Buffer.from(value).toString("latin1")
          : typeof value === "bigint"
            ? ""
            : value,
      );
      expect(messages).not.toContain("PRIVATE KEY");
      expect(await host.readState("connection_settings.json")).toContain("PRIVATE KEY");
    },
  );

  it("AN22 gets one in place of a token that many share, and is known by it alone", async () => {
    const pki = await issuingPki();
    const host = await supervisorHost({
      capabilities: { accepts_opamp_connection_settings: true },
      server: "down",
      secrets: ["shared-token"],
    });
    const endpoint = `wss://127.0.0.1:${host.ports.opamp}/v1/opamp`;
    const headers = { Authorization: "Bearer shared-token" };
    const tls = { ca_pem: pki.serverAuthority.cert };
    await host.writeSettings({}, {}, { server: { endpoint, headers, tls, certificate: { request: true } } });
    let tokenCounts = true;
    const server = await host.startServer({
      tls: { ...pki.serverOptions.tls, rejectUnauthorized: false },
      refuse: ({ socket, headers: shown }) => {
        if ((socket as TLSSocket).authorized) return undefined;
        return tokenCounts && shown.authorization === headers.Authorization ? undefined : 401;
      },
    });
    issueCertificates(server, pki.agentAuthority);
    const supervisor = await host.start();
    await supervisor.waitFor("certificate_renewed");
    expect(await verdictOn(server, 1)).toBe("");
    tokenCounts = false;
    const next = await host.restart();
    await next.waitFor("connected_to_server");
    await host.apply(host.remotePipeline());
  });

  it("AN20 asks no server that issues none", async () => {
    const pki = await issuingPki();
    const host = await certifiedHost(pki);
    const server = await host.startServer({ ...pki.serverOptions, issues: false });
    await host.startHealthy();
    await host.apply(host.remotePipeline());
    expect(server.received.some(({ message }) => message.connectionSettingsRequest)).toBe(false);
  });

  it.each([
    ["to another agent", { name: "somebody-else", names: [] }, "another agent"],
    ["with an end in the past", { notAfter: new Date(Date.now() - 1_000) }, "expired"],
    ["for later", { notBefore: new Date(Date.now() + 3_600_000) }, "not valid before"],
  ])("refuses a certificate that was issued %s, and stays connected", async (_what, options, reason) => {
    const pki = await issuingPki();
    const host = await certifiedHost(pki);
    const server = await host.startServer(pki.serverOptions);
    const issued = issueCertificates(server, pki.agentAuthority, () => options);
    await host.startHealthy();
    expect(await verdictOn(server, 1)).toContain(reason);
    await host.apply(host.remotePipeline());
    expect(new Set(pki.shown)).toEqual(new Set([pki.bootstrapSerial]));
    // It does not ask again at once.
    expect(issued.requests).toHaveLength(1);
  });

  it("refuses a certificate of which the key is another's, and one from a foreign authority", async () => {
    const pki = await issuingPki();
    const host = await certifiedHost(pki);
    const server = await host.startServer(pki.serverOptions);
    await host.startHealthy();
    await server.message(
      "a request",
      ({ connectionSettingsRequest }) => connectionSettingsRequest !== undefined,
    );
    const encode = (text: string) => new TextEncoder().encode(text);
    const other = await pki.agentAuthority.issue({ name: "other" });
    const mismatched = { cert: encode(other.cert), caCert: encode(pki.agentAuthority.cert) };
    server.push({ connectionSettings: { hash: new Uint8Array([7]), opamp: { certificate: mismatched } } });
    expect(await verdictOn(server, 7)).toContain("do not belong together");
    const unsigned = { cert: encode(other.cert), caCert: encode(pki.serverAuthority.cert) };
    server.push({ connectionSettings: { hash: new Uint8Array([8]), opamp: { certificate: unsigned } } });
    expect(await verdictOn(server, 8)).toContain("not signed by the authority");
    await host.apply(host.remotePipeline());
  });

  it("goes back to the connection that it has when the server does not take what it issued", async () => {
    const pki = await issuingPki();
    const host = await certifiedHost(pki);
    const server = await host.startServer(pki.serverOptions);
    issueCertificates(server, pki.serverAuthority);
    await host.startHealthy();
    expect(await verdictOn(server, 1)).not.toBe("");
    expect(statusesOf(server, 1)).toEqual(["APPLYING", "FAILED"]);
    // It was reached in vain, so that the one in use was never left.
    expect(server.received.some(({ message }) => message.agentDisconnect)).toBe(false);
    await host.apply(host.remotePipeline());
  });

  it("AN21 renews certificates that live seconds, again and again, while data flows", {
    timeout: renewalsTimeoutMs + 10_000,
  }, async () => {
    const pki = await issuingPki();
    const host = await certifiedHost(pki);
    const server = await host.startServer(pki.serverOptions);
    const issued = issueCertificates(server, pki.agentAuthority, () => ({
      notBefore: new Date(Date.now() - 5_000),
      notAfter: new Date(Date.now() + 3_000),
    }));
    const supervisor = await host.startHealthy();
    await host.apply(host.remotePipeline());
    const sender = host.send();
    await sender.accepted();
    await supervisor.waitFor(
      () => supervisor.lines.filter(({ event }) => event === "certificate_renewed").length >= renewals,
      { timeoutMs: renewalsTimeoutMs },
    );
    const { refused, results } = await sender.stop();
    expect(refused).toEqual([]);
    expect(results.length).toBeGreaterThan(renewals);
    const troubles = ["connection_settings_refused", "connection_fallback", "certificate_request_failed"];
    expect(supervisor.lines.filter(({ event }) => troubles.includes(String(event)))).toEqual([]);
    expect(issued.certificates.length).toBeGreaterThanOrEqual(renewals);
  });
});
