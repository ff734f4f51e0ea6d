import { createPublicKey, type KeyObject } from "node:crypto";
import { readFile } from "node:fs/promises";
import { describeError } from "../../../foundation/errors.ts";

/** A public key that may sign packages. */
export interface TrustKey {
  /** The file it came from, with a number where the file holds several. */
  name: string;
  kind: "Ed25519" | "ECDSA" | "RSA";
  key: KeyObject;
}

/** The keys of `packages.trust.keys`; one good signature by any of them is enough. */
export type TrustKeys = readonly TrustKey[];

const minRsaBits = 2048;

/**
 * Reads PEM public keys and certificates, several to a file if need be. Of a certificate only its key
 * counts, for it is pinned: neither its dates nor its issuer are looked at.
 * @throws Error that names the file and what is wrong with it.
 */
export async function loadTrustKeys(paths: readonly string[]): Promise<TrustKeys> {
  return (await Promise.all(paths.map(loadFile))).flat();
}

async function loadFile(path: string): Promise<TrustKey[]> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    throw new Error(`packages.trust.keys: ${path} cannot be read`, { cause });
  }
  const blocks = [...text.matchAll(/-----BEGIN ([A-Z0-9 ]+)-----[\s\S]*?-----END \1-----/g)];
  if (blocks.length === 0) throw problem(path, "holds no PEM public key (-----BEGIN PUBLIC KEY-----)");
  return blocks.map(([pem, label = ""], index) => {
    // createPublicKey would take its public half; a private key has no place on a host that only verifies.
    if (label.includes("PRIVATE KEY"))
      throw problem(path, "holds a private key; put only the public key on this host");
    return toTrustKey(path, blocks.length === 1 ? path : `${path} (key ${index + 1})`, pem);
  });
}

function toTrustKey(path: string, name: string, pem: string): TrustKey {
  let key: KeyObject;
  try {
    key = createPublicKey(pem);
  } catch (error) {
    throw problem(path, `is not a PEM public key or certificate: ${describeError(error)}`);
  }
  const { namedCurve, modulusLength = 0 } = key.asymmetricKeyDetails ?? {};
  const type = key.asymmetricKeyType;
  if (type === "ed25519") return { name, kind: "Ed25519", key };
  if (type === "ec") {
    if (namedCurve === "prime256v1") return { name, kind: "ECDSA", key };
    throw problem(path, `has an EC key on the curve ${namedCurve}, only P-256 is supported`);
  }
  if (type === "rsa") {
    if (modulusLength >= minRsaBits) return { name, kind: "RSA", key };
    throw problem(path, `has an RSA key of ${modulusLength} bits, ${minRsaBits} are the least`);
  }
  throw problem(path, `has a key of type ${type}; use Ed25519, ECDSA on P-256, or RSA (PKCS#1 v1.5)`);
}

function problem(path: string, what: string): Error {
  return new Error(`packages.trust.keys: ${path} ${what}`);
}
