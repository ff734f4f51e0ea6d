import { createHash, X509Certificate } from "node:crypto";
import { beforeAll, describe, expect, it } from "vitest";
import { silentLogger } from "../../../../src/foundation/logger.ts";
import { sessionSettings } from "../../../../src/supervisor/connection/session-settings.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { type CertificateOptions, type Credentials, TestAuthority } from "../../../support/test-authority.ts";
import { makeSession, startServer } from "../../opamp/agent/session-fixture.ts";
import { load } from "../settings/support.ts";

let authority: TestAuthority;
let foreign: TestAuthority;
let own: Credentials;
beforeAll(async () => {
  [authority, foreign] = await Promise.all([TestAuthority.create(), TestAuthority.create("Foreign CA")]);
  own = await authority.issue();
});

const pinOf = ({ cert }: Credentials) =>
  createHash("sha256")
    .update(new X509Certificate(cert).publicKey.export({ type: "spki", format: "der" }))
    .digest("base64");

const pem = (text: string) => JSON.stringify(text);

/** A session as supervisor.yaml with these lines in `server.tls` makes it. */
function session(endpoint: URL, lines: string[]) {
  const tls = [`ca_pem: ${pem(authority.cert)}`, ...lines].map((line) => `    ${line}`).join("\n");
  const text = `server:\n  endpoint: ${endpoint.href}\n  tls:\n${tls}\nagent: {executable: /otelcol}\n`;
  const { settings } = load(text);
  const made = sessionSettings(settings, { clock: new ManualClock(), logger: silentLogger })({});
  return makeSession(endpoint, { settings: { tls: made.tls! } });
}

describe.each(["ws", "http"] as const)("server.tls over %ss", (transport) => {
  it.each<[string, "own" | "foreign", CertificateOptions, RegExp]>([
    ["expired", "own", { notAfter: new Date(Date.now() - 1_000) }, /expired/],
    ["not valid yet", "own", { notBefore: new Date(Date.now() + 600_000) }, /not yet valid/],
    [
      "of another host",
      "own",
      { names: [{ type: "dns", value: "elsewhere.test" }] },
      /127\.0\.0\.1|altnames/,
    ],
    ["of another authority", "foreign", {}, /unable to verify|issuer|self-signed/],
  ])("says nothing to a server whose certificate is %s", async (_what, issuer, options, reason) => {
    const credentials = await (issuer === "own" ? authority : foreign).issue(options);
    const server = await startServer({ tls: credentials });
    const { session: made, event } = session(server.url(transport), []);
    made.start();
    expect(await event("failed")).toMatchObject({ error: expect.stringMatching(reason) });
    expect(server.received).toEqual([]);
    expect(server.upgradeHeaders).toEqual([]);
  });

  it("says nothing to a server whose pin was taken from the list, however good its certificate is", async () => {
    const [kept, revoked] = await Promise.all([authority.issue(), authority.issue()]);
    const server = await startServer({ tls: revoked });
    const pins = (...of: Credentials[]) => [`pin_sha256: [${of.map(pinOf).join(", ")}]`];
    const before = session(server.url(transport), pins(kept, revoked));
    before.session.start();
    await before.event("connected");
    const heard = server.received.length;
    const after = session(server.url(transport), pins(kept));
    after.session.start();
    expect((await after.event("failed")).error).toContain("pin_sha256");
    expect(server.received).toHaveLength(heard);
  });

  it("says nothing to a server that speaks no TLS as new as min_version", async () => {
    const server = await startServer({ tls: { ...own, maxVersion: "TLSv1.2" } });
    const old = session(server.url(transport), ['min_version: "1.2"']);
    old.session.start();
    await old.event("connected");
    const heard = server.received.length;
    const strict = session(server.url(transport), ['min_version: "1.3"']);
    strict.session.start();
    expect((await strict.event("failed")).error).toMatch(/version/);
    expect(server.received).toHaveLength(heard);
  });

  it("shows its own certificate to nobody with another's key, and says which keys do not fit", async () => {
    const [client, other] = await Promise.all([authority.issue(), authority.issue()]);
    const server = await startServer({ tls: own });
    const lines = [`cert_pem: ${pem(client.cert)}`, `key_pem: ${pem(other.key)}`];
    const { session: made, event } = session(server.url(transport), lines);
    made.start();
    const { error } = await event("failed");
    expect(error).toMatch(/key values mismatch/);
    expect(error).not.toContain("PRIVATE");
    expect(server.received).toEqual([]);
  });
});
