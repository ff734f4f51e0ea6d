import { createPrivateKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { errorCode } from "../../foundation/errors.ts";
import { toVerificationKey, type VerificationKey } from "../../supervisor/trust/jws.ts";
import { loadTrustKeys } from "../../supervisor/trust/trust-keys.ts";

const pairs: Readonly<
  Record<VerificationKey["algorithm"], () => { privateKey: KeyObject; publicKey: KeyObject }>
> = {
  EdDSA: () => generateKeyPairSync("ed25519"),
  ES256: () => generateKeyPairSync("ec", { namedCurve: "P-256" }),
  RS256: () => generateKeyPairSync("rsa", { modulusLength: 3072 }),
};

export const keyAlgorithms = ["EdDSA", "ES256", "RS256"] as const;

/** Makes a key pair in two new files, and gives the thumbprint by which signatures name it. */
export async function makeKeyPair(path: string, algorithm: VerificationKey["algorithm"]): Promise<string> {
  const { privateKey, publicKey } = pairs[algorithm]();
  await writeNew(path, privateKey.export({ type: "pkcs8", format: "pem" }), 0o600);
  await writeNew(`${path}.pub`, publicKey.export({ type: "spki", format: "pem" }), 0o644);
  return (await toVerificationKey(publicKey)).id;
}

/** @throws Error when it cannot be read, or is no private key. The message never quotes it. */
export async function readPrivateKey(path: string): Promise<KeyObject> {
  const pem = await readFile(path, "utf8");
  try {
    return createPrivateKey(pem);
  } catch {
    throw new Error(`${path} is not a private key in PEM without a passphrase`);
  }
}

/** @throws Error that names the file that cannot be used. */
export async function readPublicKeys(paths: readonly string[]): Promise<VerificationKey[]> {
  const keys = await loadTrustKeys(paths, "--public-key");
  return Promise.all(keys.map(({ key }) => toVerificationKey(key)));
}

/** A key that is overwritten is lost for ever. */
async function writeNew(path: string, content: string | Buffer, mode: number): Promise<void> {
  try {
    await writeFile(path, content, { flag: "wx", mode });
  } catch (error) {
    if (errorCode(error) === "EEXIST") throw new Error(`${path} exists already; a key is never overwritten`);
    throw error;
  }
}
