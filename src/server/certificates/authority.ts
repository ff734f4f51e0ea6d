import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import * as z from "zod";
import type { Clock } from "../../foundation/clock.ts";
import { describeError } from "../../foundation/errors.ts";
import type { AuthoritySource } from "../settings/server-settings.ts";
import type { Secrets } from "../storage/secrets.ts";

/** Of the certificate that this server makes for itself. */
const ownLifetimeMs = 10 * 365 * 86_400_000;
/** The clocks of hosts may be behind. */
const clockSkewMs = 5 * 60_000;

const pairSchema = z.object({ cert: z.string(), key: z.string() });

/** Issues the certificates of Agents. */
export interface Authority {
  /** PEM. */
  readonly cert: string;
  /** A client certificate in PEM for a public key (SubjectPublicKeyInfo, DER); it ends no later than the authority. */
  issue(instanceUid: string, publicKey: Buffer, lifetimeMs: number): Promise<string>;
}

/**
 * The authority of the settings; the server's own is made at first use.
 * @throws Error that names the setting, when its files cannot be used; StorageError without a master key
 */
export async function openAuthority(
  source: AuthoritySource,
  { secrets, clock }: { secrets: Secrets; clock: Clock },
): Promise<Authority> {
  const pair = source.t === "files" ? readFiles(source) : await ownPair(secrets, clock);
  const { validTo } = new X509Certificate(pair.cert);
  return {
    cert: pair.cert,
    async issue(instanceUid, publicKey, lifetimeMs) {
      const now = clock.now();
      const notAfter = Math.min(now + lifetimeMs, Date.parse(validTo));
      if (notAfter <= now) throw new Error(`the authority's own certificate ended on ${validTo}`);
      const { issueAgentCertificate } = await import("./x509.ts");
      return await issueAgentCertificate({
        authority: pair,
        instanceUid,
        publicKey,
        notBefore: now - clockSkewMs,
        notAfter,
      });
    },
  };
}

async function ownPair(secrets: Secrets, clock: Clock) {
  const text = await secrets.getOrMake("certificate-authority", async () => {
    const { newAuthority } = await import("./x509.ts");
    const notBefore = clock.now() - clockSkewMs;
    return JSON.stringify(
      await newAuthority({ name: "opamp-server agents", notBefore, notAfter: notBefore + ownLifetimeMs }),
    );
  });
  return pairSchema.parse(JSON.parse(text));
}

function readFiles({ certFile, keyFile }: { certFile: string; keyFile: string }) {
  const setting = "certificates.authority";
  const read = (file: string, key: string) => {
    try {
      return readFileSync(file, "utf8");
    } catch (error) {
      throw new Error(`${setting}.${key}: cannot read ${file}: ${describeError(error)}`);
    }
  };
  const cert = read(certFile, "cert_file");
  const key = read(keyFile, "key_file");
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(cert);
  } catch {
    throw new Error(`${setting}.cert_file: ${certFile} is not a certificate in PEM`);
  }
  if (!certificate.ca) throw new Error(`${setting}.cert_file: ${certFile} is no certificate of an authority`);
  try {
    if (certificate.checkPrivateKey(createPrivateKey(key))) return { cert, key };
  } catch {
    throw new Error(`${setting}.key_file: ${keyFile} is not a private key in PEM without a passphrase`);
  }
  throw new Error(`${setting}: the key does not belong to the certificate`);
}
