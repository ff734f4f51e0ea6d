import { createPublicKey, type KeyObject } from "node:crypto";
import { readFile } from "node:fs/promises";
import { describeError } from "../../foundation/errors.ts";

/** A public key that may sign packages or configurations. */
export interface TrustKey {
  /** The file it came from, with a number where the file holds several. */
  name: string;
  kind: "Ed25519" | "ECDSA" | "RSA";
  key: KeyObject;
}

/** The keys that a host trusts for one purpose; one good signature by any of them is enough. */
export type TrustKeys = readonly TrustKey[];

const minRsaBits = 2048;

/**
 * Reads PEM public keys and certificates, several to a file if need be. Of a certificate only its key
 * counts, for it is pinned: neither its dates nor its issuer are looked at.
 * @param setting names the key of the settings file, for errors.
 * @throws Error that names the setting, the file and what is wrong with it.
 */
export async function loadTrustKeys(paths: readonly string[], setting: string): Promise<TrustKeys> {
  try {
    return (await Promise.all(paths.map(loadFile))).flat();
  } catch (error) {
    throw new Error(`${setting}: ${(error as Error).message}`, { cause: (error as Error).cause });
  }
}

async function loadFile(path: string): Promise<TrustKey[]> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    throw new Error(`${path} cannot be read`, { cause });
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
  const kind = kindOfKey(key);
  if ("problem" in kind) throw problem(path, kind.problem);
  return { name, kind: kind.kind, key };
}

/** What signatures a key is for; `problem` says why it is for none. */
export function kindOfKey(key: KeyObject): Pick<TrustKey, "kind"> | { problem: string } {
  const { namedCurve, modulusLength = 0 } = key.asymmetricKeyDetails ?? {};
  const type = key.asymmetricKeyType;
  if (type === "ed25519") return { kind: "Ed25519" };
  if (type === "ec") {
    if (namedCurve === "prime256v1") return { kind: "ECDSA" };
    return { problem: `has an EC key on the curve ${namedCurve}, only P-256 is supported` };
  }
  if (type === "rsa") {
    if (modulusLength >= minRsaBits) return { kind: "RSA" };
    return { problem: `has an RSA key of ${modulusLength} bits, ${minRsaBits} are the least` };
  }
  return { problem: `has a key of type ${type}; use Ed25519, ECDSA on P-256, or RSA (PKCS#1 v1.5)` };
}

function problem(path: string, what: string): Error {
  return new Error(`${path} ${what}`);
}
