import { createPublicKey, type KeyObject } from "node:crypto";
import { CompactSign, calculateJwkThumbprint, compactVerify, decodeProtectedHeader, type JWK } from "jose";
import { kindOfKey, type TrustKey } from "./trust-keys.ts";

/** A public key with the name that signatures call it by: its thumbprint (RFC 7638). */
export interface VerificationKey {
  id: string;
  algorithm: "EdDSA" | "ES256" | "RS256";
  key: KeyObject;
  jwk: JWK;
}

const algorithms: Readonly<Record<TrustKey["kind"], VerificationKey["algorithm"]>> = {
  Ed25519: "EdDSA",
  ECDSA: "ES256",
  RSA: "RS256",
};

/** @throws Error when no signature of a configuration can be made with such a key. */
export async function toVerificationKey(key: KeyObject): Promise<VerificationKey> {
  const found = kindOfKey(key);
  if ("problem" in found) throw new Error(`the key ${found.problem}`);
  const publicKey = key.type === "private" ? createPublicKey(key) : key;
  const jwk = publicKey.export({ format: "jwk" }) as JWK;
  return { id: await calculateJwkThumbprint(jwk), algorithm: algorithms[found.kind], key: publicKey, jwk };
}

/** @throws Error when it is no public key that a configuration can be signed with. */
export function fromJwk(jwk: JWK): Promise<VerificationKey> {
  return toVerificationKey(createPublicKey({ key: { ...jwk }, format: "jwk" }));
}

/** Signs a statement: a compact JWS (RFC 7515) whose payload is JSON. */
export async function signStatement(
  claims: Readonly<Record<string, unknown>>,
  { type, privateKey }: { type: string; privateKey: KeyObject },
): Promise<string> {
  const { id, algorithm } = await toVerificationKey(privateKey);
  return new CompactSign(new TextEncoder().encode(JSON.stringify(claims)))
    .setProtectedHeader({ alg: algorithm, kid: id, typ: type })
    .sign(privateKey);
}

/** What verifying a statement gave. */
export type Verified =
  | { t: "verified"; payload: unknown; signer: VerificationKey }
  | { t: "unknown-key"; id: string }
  | { t: "altered"; because: string };

/** Finds which of the keys signed a statement of this type, and what it says. */
export async function verifyStatement(
  jws: string,
  { type, keys }: { type: string; keys: readonly VerificationKey[] },
): Promise<Verified> {
  const header = headerOf(jws);
  if (header?.typ !== type) return { t: "altered", because: "the signature is not of the form of one" };
  const signer = keys.find(({ id }) => id === header.kid);
  if (signer === undefined) return { t: "unknown-key", id: header.kid ?? "(unnamed)" };
  try {
    if (header.alg !== signer.algorithm || !isCanonical(jws)) throw new Error("not as it was signed");
    const { payload } = await compactVerify(jws, signer.key, { algorithms: [signer.algorithm] });
    const text = new TextDecoder("utf-8", { fatal: true }).decode(payload);
    return { t: "verified", payload: JSON.parse(text), signer };
  } catch {
    return { t: "altered", because: "what is signed is not as it was signed" };
  }
}

function headerOf(jws: string) {
  try {
    return decodeProtectedHeader(jws);
  } catch {
    return undefined;
  }
}

/** Base64url leaves bits unused in its last character, and a decoder does not look at them. */
function isCanonical(jws: string): boolean {
  return jws.split(".").every((part) => Buffer.from(part, "base64url").toString("base64url") === part);
}
