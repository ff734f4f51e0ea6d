import { createPublicKey, type KeyObject, sign } from "node:crypto";
import {
  bitString,
  contextual,
  nothing,
  objectIdentifier,
  octetString,
  sequence,
  set,
  smallInteger,
  utf8String,
} from "./der.ts";

const oid = {
  commonName: "2.5.4.3",
  subjectAltName: "2.5.29.17",
  extensionRequest: "1.2.840.113549.1.9.14",
  ecdsaWithSha256: "1.2.840.10045.4.3.2",
  ecdsaWithSha384: "1.2.840.10045.4.3.3",
  sha256WithRsa: "1.2.840.113549.1.1.11",
} as const;

/** GeneralName `uniformResourceIdentifier` of RFC 5280. */
const uriName = 6;

/**
 * A PKCS #10 request (RFC 2986) in PEM, signed by the key. The certificate is to name the agent: the instance
 * UID is its common name, and `urn:uuid:…` its alternative name (AI8).
 */
export function signingRequest(key: KeyObject, instanceUid: string): string {
  const publicKey = createPublicKey(key).export({ type: "spki", format: "der" });
  const subject = sequence(set(sequence(objectIdentifier(oid.commonName), utf8String(instanceUid))));
  const names = sequence(contextual(uriName, false, Buffer.from(uriOf(instanceUid), "ascii")));
  const extensions = sequence(sequence(objectIdentifier(oid.subjectAltName), octetString(names)));
  const attributes = contextual(0, true, sequence(objectIdentifier(oid.extensionRequest), set(extensions)));
  const information = sequence(smallInteger(0), subject, publicKey, attributes);
  const { algorithm, digest } = signatureOf(key);
  const request = sequence(information, algorithm, bitString(sign(digest, information, key)));
  return pem("CERTIFICATE REQUEST", request);
}

/** How a certificate names an agent. */
export function uriOf(instanceUid: string): string {
  return `urn:uuid:${instanceUid}`;
}

function signatureOf(key: KeyObject): { algorithm: Buffer; digest: string } {
  if (key.asymmetricKeyType === "rsa") {
    return { algorithm: sequence(objectIdentifier(oid.sha256WithRsa), nothing()), digest: "sha256" };
  }
  return key.asymmetricKeyDetails?.namedCurve === "secp384r1"
    ? { algorithm: sequence(objectIdentifier(oid.ecdsaWithSha384)), digest: "sha384" }
    : { algorithm: sequence(objectIdentifier(oid.ecdsaWithSha256)), digest: "sha256" };
}

function pem(label: string, der: Buffer): string {
  const lines = der.toString("base64").match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ""].join("\n");
}
