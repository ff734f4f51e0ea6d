import { generateKeyPair, type KeyObject } from "node:crypto";
import { promisify } from "node:util";
import type { CertificateKeyType } from "../../settings/supervisor-settings.ts";

const generate = promisify(generateKeyPair);

/** A fresh private key. RSA takes a while, in a thread of its own. */
export async function newPrivateKey(type: CertificateKeyType): Promise<KeyObject> {
  switch (type) {
    case "ec-p256":
      return (await generate("ec", { namedCurve: "prime256v1" })).privateKey;
    case "ec-p384":
      return (await generate("ec", { namedCurve: "secp384r1" })).privateKey;
    case "rsa-2048":
    case "rsa-3072":
    case "rsa-4096":
      return (await generate("rsa", { modulusLength: Number(type.slice("rsa-".length)) })).privateKey;
  }
}
