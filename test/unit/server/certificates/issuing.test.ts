import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { formatInstanceUid, newInstanceUid } from "../../../../src/opamp/instance-uid.ts";
import {
  ConnectionSettingsStatuses,
  ConnectionSettingsStatusSchema,
} from "../../../../src/opamp/messages.ts";
import type { AgentIdentity } from "../../../../src/server/access/agents.ts";
import { openAuthority } from "../../../../src/server/certificates/authority.ts";
import { CertificateRows } from "../../../../src/server/certificates/certificate-rows.ts";
import { type IssuedCertificate, Issuing } from "../../../../src/server/certificates/issuing.ts";
import { CertificateRegister } from "../../../../src/server/certificates/register.ts";
import { Secrets } from "../../../../src/server/storage/secrets.ts";
import { signingRequest } from "../../../../src/supervisor/connection/certificate/signing-request.ts";
import { testDatabase } from "../../../support/database.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { LogBook, testEvents } from "../test-server.ts";

const day = 86_400_000;
const uid = formatInstanceUid(newInstanceUid(1));
const other = formatInstanceUid(newInstanceUid(2));
const byKey: AgentIdentity = { by: "api-key", credential: "k", uid: undefined };
const byCertificate = ({ fingerprint, serial, expires_at }: IssuedCertificate): AgentIdentity => ({
  by: "certificate",
  credential: fingerprint,
  uid,
  certificate: { serial, expiresAt: expires_at },
});

async function office(approval: "automatic" | "manual" = "automatic") {
  const database = await testDatabase();
  const clock = new ManualClock();
  const log = new LogBook();
  const events = testEvents();
  const secrets = new Secrets({ database, settings: { directory: undefined, postgresUrl: undefined } });
  const authority = await openAuthority({ t: "own" }, { secrets, clock });
  const rows = new CertificateRows(database);
  const issuing = new Issuing({ authority, rows, approval, lifetimeMs: 90 * day, clock, log, events });
  const cut: string[] = [];
  const register = new CertificateRegister({ rows, clock, log, events, cut: (each) => cut.push(each) });
  const ask = (csr: string, identity = byKey, instanceUid = uid) =>
    issuing.request(Buffer.from(csr), { identity, instanceUid, remoteAddress: "10.0.0.1" });
  const issue = async (csr: string, identity = byKey) => {
    const result = await ask(csr, identity);
    if (result.t !== "issued") throw new Error(JSON.stringify(result));
    return result.certificate;
  };
  return { authority, rows, issuing, register, clock, cut, ask, issue };
}

const newRequest = (name = uid) =>
  signingRequest(generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey, name);

const applied = (fingerprint: string) =>
  create(ConnectionSettingsStatusSchema, {
    lastConnectionSettingsHash: Buffer.from(fingerprint, "hex"),
    status: ConnectionSettingsStatuses.ConnectionSettingsStatuses_APPLIED,
  });

describe("Issuing", () => {
  it("issues a certificate that names the agent, for clients only, by the authority", async () => {
    const { issue, authority, clock } = await office();
    const { pem, serial } = await issue(newRequest());
    const certificate = new X509Certificate(pem);
    expect(certificate.subject).toBe(`CN=${uid}`);
    expect(certificate.subjectAltName).toBe(`URI:urn:uuid:${uid}`);
    expect(certificate.checkIssued(new X509Certificate(authority.cert))).toBe(true);
    expect(certificate.verify(new X509Certificate(authority.cert).publicKey)).toBe(true);
    expect(certificate.ca).toBe(false);
    expect(certificate.keyUsage).toEqual(["1.3.6.1.5.5.7.3.2"]);
    expect(Date.parse(certificate.validTo)).toBe(clock.now() + 90 * day);
    expect(serial).toMatch(/^[4-7][0-9a-f]{31}$/);
  });

  it("answers a request that is sent again with the same certificate, until that is used", async () => {
    const { issue, register } = await office();
    const csr = newRequest();
    const first = await issue(csr);
    expect((await issue(csr)).serial).toBe(first.serial);
    await register.spoke(byCertificate(first));
    expect((await issue(csr, byCertificate(first))).serial).not.toBe(first.serial);
  });

  it("SN7 refuses one that names another agent", async () => {
    const { ask } = await office();
    expect(await ask(newRequest(other))).toEqual({
      t: "refused",
      reason: `it names instance UID ${other}, and comes from ${uid}`,
    });
  });

  it.each([
    ["no request", "hello", "not a PKCS #10 request"],
    ["one whose signature is of another key", damaged(newRequest()), "not signed by its own key"],
    [
      "one of a short RSA key",
      signingRequest(generateKeyPairSync("rsa", { modulusLength: 1024 }).privateKey, uid),
      "1024 bits",
    ],
    ["one without end", newRequest() + " ".repeat(20_000), "longer than"],
  ])("SN6 refuses %s", async (_what, csr, reason) => {
    const { ask } = await office();
    expect(await ask(csr)).toEqual({ t: "refused", reason: expect.stringContaining(reason) as string });
  });

  it.each([
    ["the settings say so", "manual" as const, byKey, newRequest(), "certificates.approval"],
    [
      "the agent came without a credential",
      "automatic" as const,
      { by: "nothing", credential: undefined, uid: undefined } as AgentIdentity,
      newRequest(),
      "without a credential",
    ],
    ["it names nobody", "automatic" as const, byKey, newRequest("host-17"), "does not name"],
  ])("SN9 waits for a person where %s", async (_what, approval, identity, csr, cause) => {
    const { ask, rows, issuing } = await office(approval);
    expect(await ask(csr, identity)).toEqual({ t: "pending" });
    expect(await ask(csr, identity)).toEqual({ t: "pending" });
    const requests = await rows.requests("pending");
    expect(requests).toHaveLength(1);
    expect(requests[0]?.cause).toContain(cause);
    const approved = await issuing.approve(requests[0]!, "ann", "known");
    expect(approved?.t).toBe("issued");
    expect(await issuing.approve(requests[0]!, "bob", "known")).toBeUndefined();
    const again = await ask(csr, identity);
    expect(again.t === "issued" && again.certificate.instance_uid).toBe(uid);
  });

  it("SN6 tells an agent why a person refused it", async () => {
    const { ask, rows, issuing } = await office("manual");
    const csr = newRequest();
    await ask(csr);
    await issuing.refuse((await rows.requests("pending"))[0]!, "ann", "not one of ours");
    expect(await ask(csr)).toEqual({ t: "refused", reason: "not one of ours" });
  });

  it("lets no key that many share take over the name of an agent that has a certificate", async () => {
    const { ask, issue, register, rows } = await office();
    const first = await issue(newRequest());
    await register.spoke(byCertificate(first));
    expect(await ask(newRequest())).toEqual({ t: "pending" });
    expect((await rows.requests("pending"))[0]?.cause).toContain("in use");
    expect((await ask(newRequest(), byCertificate(first))).t).toBe("issued");
  });
});

describe("CertificateRegister", () => {
  it("SN4 revokes the former certificate only when the new one is used and its agent keeps it", async () => {
    const { issue, register, clock, cut, rows } = await office();
    const first = await issue(newRequest());
    await register.spoke(byCertificate(first));
    clock.advance(1000);
    const second = await issue(newRequest(), byCertificate(first));
    await register.answered(uid, applied(second.fingerprint));
    expect(cut).toEqual([]);
    await register.spoke(byCertificate(second));
    expect(cut).toEqual([first.fingerprint]);
    expect(await register.isRevoked(first.fingerprint)).toBe(true);
    expect(await register.isRevoked(second.fingerprint)).toBe(false);
    expect((await rows.get(first.fingerprint))?.revoke_reason).toBe(`replaced by ${second.serial}`);
  });

  it("SN4 leaves the former one where the new one was used and not yet kept: it is the way back", async () => {
    const { issue, register, clock, cut } = await office();
    const first = await issue(newRequest());
    clock.advance(1000);
    const second = await issue(newRequest());
    await register.spoke(byCertificate(second));
    expect(cut).toEqual([]);
    // Many agents never say that they keep something.
    clock.advance(3_600_000);
    await register.spoke(byCertificate(second));
    expect(cut).toEqual([first.fingerprint]);
  });

  it("knows certificates that others issued", async () => {
    const { register, rows, clock } = await office();
    const expiresAt = clock.now() + 30 * day;
    const certificate = { serial: "0a", expiresAt };
    await register.spoke({ by: "certificate", credential: "aa", uid: undefined, certificate });
    expect(await rows.get("aa")).toMatchObject({ origin: "seen", expires_at: expiresAt, instance_uid: null });
  });

  it("takes no word of one agent about the certificate of another", async () => {
    const { issue, register, rows } = await office();
    const { fingerprint } = await issue(newRequest());
    await register.answered(other, applied(fingerprint));
    expect((await rows.get(fingerprint))?.applied_at).toBeNull();
  });
});

/** The last byte of the signature is another. */
function damaged(pem: string): string {
  const [head = "", ...lines] = pem.trim().split("\n");
  const bytes = Buffer.from(lines.slice(0, -1).join(""), "base64");
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
  return [head, bytes.toString("base64"), lines.at(-1)].join("\n");
}
