import { createHash, createVerify } from "node:crypto";
import { assertNever } from "../../../foundation/assert-never.ts";
import type { TrustKey, TrustKeys } from "../../trust/trust-keys.ts";
import { filePieces } from "../unpack/file-pieces.ts";
import { Ed25519Check } from "./ed25519.ts";

export type SignatureVerdict =
  /** `key` is the name of the trusted key that made the signature. */
  { ok: true; key: string } | { ok: false; reason: string };

/** One key against one reading of the signature, fed while the file is read. */
interface Check {
  update(chunk: Uint8Array): unknown;
  passes(): boolean;
}

/**
 * Whether one of the trusted keys signed the file (AP7). A signature is over the file's bytes: Ed25519 as
 * `openssl pkeyutl -sign -rawin` writes it, ECDSA P-256 as `cosign sign-blob --key` does (ASN.1 DER) and RSA
 * PKCS#1 v1.5 as `openssl dgst -sha256 -sign` does; each raw or as base64 text. The file is read once, in
 * pieces, and has to be the one of `sha256` still.
 * @throws system errors when the file cannot be read.
 */
export async function verifySignature(
  file: { path: string; sha256: string },
  signature: Uint8Array,
  keys: TrustKeys,
): Promise<SignatureVerdict> {
  if (signature.length === 0)
    return refuse("the package is not signed, and this host takes only packages signed by a trusted key");
  const readings = [signature, ...fromBase64(signature)];
  const checks = keys.flatMap((trusted) =>
    readings.flatMap((bytes) => {
      const check = checkOf(trusted, bytes);
      return check === undefined ? [] : [{ key: trusted.name, check }];
    }),
  );
  const names = keys.map(({ name }) => name).join(", ");
  if (checks.length === 0)
    return refuse(
      `the package's signature (${signature.length} bytes) has not the form of one by a trusted key (${names})`,
    );
  const hash = createHash("sha256");
  for await (const chunk of filePieces(file.path)) {
    hash.update(chunk);
    for (const { check } of checks) check.update(chunk);
  }
  if (hash.digest("hex") !== file.sha256)
    return refuse("the file has changed since it was downloaded: its SHA-256 is not the one offered");
  const passed = checks.find(({ check }) => check.passes());
  if (passed !== undefined) return { ok: true, key: passed.key };
  return refuse(`the package's signature was not made over this file by a trusted key (${names})`);
}

function refuse(reason: string): SignatureVerdict {
  return { ok: false, reason };
}

/** undefined when the bytes cannot be a signature by that key, which spares hashing the file for it. */
function checkOf({ kind, key }: TrustKey, signature: Uint8Array): Check | undefined {
  switch (kind) {
    case "Ed25519": {
      const { x = "" } = key.export({ format: "jwk" });
      return signature.length === 64 ? new Ed25519Check(Buffer.from(x, "base64url"), signature) : undefined;
    }
    case "ECDSA":
    case "RSA": {
      const bytes = (key.asymmetricKeyDetails?.modulusLength ?? 0) / 8;
      const fits = kind === "ECDSA" ? signature[0] === 0x30 : signature.length === Math.ceil(bytes);
      if (!fits) return undefined;
      const verify = createVerify("sha256");
      return { update: (chunk) => verify.update(chunk), passes: () => verify.verify(key, signature) };
    }
    default:
      return assertNever(kind);
  }
}

/** The bytes that the signature is the base64 text of, or none. */
function fromBase64(signature: Uint8Array): Uint8Array[] {
  const text = Buffer.from(signature).toString("latin1").replace(/\s/g, "");
  const isBase64 = text.length % 4 === 0 && /^[A-Za-z0-9+/]+={0,2}$/.test(text);
  return isBase64 ? [Buffer.from(text, "base64")] : [];
}
