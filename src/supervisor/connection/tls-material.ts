import { createPrivateKey, X509Certificate } from "node:crypto";
import { createSecureContext } from "node:tls";
import { isClockSet } from "../../foundation/clock.ts";
import { type AgentSessionSettings, presentTls } from "../../opamp/agent/settings.ts";
import type { Overrides } from "./connection-record.ts";
import { UnusableOfferError } from "./unusable-offer.ts";

/** How far a host's clock may be behind that of whoever issues certificates. */
const clockSkewMs = 5 * 60_000;
/** As many as a chain may have, and bytes they may take. */
const maxChain = 10;
const maxPemBytes = 128 * 1024;

/**
 * Finds out without a connection what is wrong with offered TLS material: certificate and key belong together,
 * each certificate was signed by the next, and it is valid at this time.
 * @throws UnusableOfferError
 */
export function checkMaterial(
  settings: AgentSessionSettings,
  { certificate, tls }: Overrides,
  now: number,
): void {
  if (certificate !== undefined) checkCertificate(certificate, now);
  if (tls?.ca !== undefined) parseChain(tls.ca, "authority");
  const present = presentTls(settings);
  if (present === undefined) return;
  try {
    const { ca, cert, key, ciphers, minVersion, maxVersion } = present;
    createSecureContext({ ca, cert, key, ciphers, minVersion, maxVersion });
  } catch (cause) {
    throw new UnusableOfferError("its TLS settings cannot be used", { cause });
  }
}

/**
 * Certificate and key belong together, each certificate was signed by the next, and it is valid at this time.
 * @throws UnusableOfferError
 */
export function checkCertificate({ cert, key }: { cert: string; key: string }, now: number): void {
  const chain = parseChain(cert, "certificate");
  const [leaf] = chain;
  if (leaf !== undefined) {
    checkKey(leaf, key);
    checkValidity(leaf, now);
  }
  checkChain(chain, []);
}

/** The certificates of a PEM text, in order. */
export function parseChain(pem: string, what: string): X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0 || blocks.length > maxChain || pem.length > maxPemBytes) {
    throw new UnusableOfferError(`its ${what} is not 1 to ${maxChain} certificates in PEM`);
  }
  try {
    return blocks.map((block) => new X509Certificate(block));
  } catch (cause) {
    throw new UnusableOfferError(`its ${what} cannot be read`, { cause });
  }
}

function checkKey(leaf: X509Certificate, key: string): void {
  let belongs: boolean;
  try {
    belongs = leaf.checkPrivateKey(createPrivateKey(key));
  } catch {
    // What node:crypto says of a key is not for logs.
    throw new UnusableOfferError("the private key of its certificate cannot be read");
  }
  if (!belongs) throw new UnusableOfferError("its certificate and the private key do not belong together");
}

function checkValidity(leaf: X509Certificate, now: number): void {
  const { from, until } = validity(leaf);
  if (until <= now) {
    throw new UnusableOfferError(`its certificate has expired at ${new Date(until).toISOString()}`);
  }
  // A clock that was never set must not condemn a certificate for good: the server judges it by its own.
  if (isClockSet(now) && from > now + clockSkewMs) {
    throw new UnusableOfferError(`its certificate is not valid before ${new Date(from).toISOString()}`);
  }
}

/**
 * Each certificate was signed by the next, and the last by the first authority unless it is that itself.
 * @throws UnusableOfferError
 */
export function checkChain(chain: readonly X509Certificate[], [authority]: readonly X509Certificate[]): void {
  const last = chain.at(-1);
  const complete = authority === undefined || last?.fingerprint256 === authority.fingerprint256;
  const links = complete ? chain : [...chain, authority];
  for (const [index, issuer] of links.slice(1).entries()) {
    const child = links[index];
    if (child?.checkIssued(issuer) !== true || !child.verify(issuer.publicKey)) {
      throw new UnusableOfferError("its certificate was not signed by the authority that comes with it");
    }
  }
}

/** Milliseconds since the Unix epoch. */
function validity({ validFrom, validTo }: X509Certificate): { from: number; until: number } {
  return { from: Date.parse(validFrom), until: Date.parse(validTo) };
}
