// Loaded by `await import()` only: few servers issue certificates.
import "reflect-metadata";
import { createPrivateKey, createPublicKey, randomBytes, webcrypto } from "node:crypto";
import * as x509 from "@peculiar/x509";

const ownAlgorithm = { name: "ECDSA", namedCurve: "P-256" } as const;
const clientAuth = "1.3.6.1.5.5.7.3.2";
const subjectAltName = "2.5.29.17";

/** What an Agent asks for. */
export interface SigningRequest {
  /** The text of each name in it that may be an instance UID: common names, and `urn:uuid:` names. */
  names: string[];
  /** DER of the public key (SubjectPublicKeyInfo). */
  publicKey: Buffer;
}

/**
 * Reads a PKCS #10 request in PEM.
 * @throws Error that says what is wrong with it: no request, not signed by its key, or a weak key
 */
export async function readSigningRequest(pem: string): Promise<SigningRequest> {
  let request: x509.Pkcs10CertificateRequest;
  try {
    request = new x509.Pkcs10CertificateRequest(pem);
  } catch {
    throw new Error("it is not a PKCS #10 request in PEM");
  }
  const publicKey = Buffer.from(request.publicKey.rawData);
  const weakness = weaknessOf(publicKey);
  if (weakness !== undefined) throw new Error(weakness);
  const proven = await request.verify().catch(() => false);
  if (!proven) throw new Error("it is not signed by its own key");
  const alternative = request.getExtension(subjectAltName);
  const names = alternative && new x509.SubjectAlternativeNameExtension(alternative.rawData).names.toJSON();
  const uris = (names ?? []).flatMap(({ type, value }) =>
    type === "url" && value.startsWith("urn:uuid:") ? [value.slice("urn:uuid:".length)] : [],
  );
  return { names: [...request.subjectName.getField("CN"), ...uris], publicKey };
}

function weaknessOf(spki: Buffer): string | undefined {
  const key = createPublicKey({ key: spki, format: "der", type: "spki" });
  const { modulusLength = 0 } = key.asymmetricKeyDetails ?? {};
  const type = key.asymmetricKeyType;
  if (type === "ec" || type === "ed25519") return undefined;
  if (type !== "rsa") return `a key of type ${type} is not taken: use ECDSA, Ed25519 or RSA`;
  return modulusLength < 2048 ? `its RSA key has ${modulusLength} bits: 2048 are needed` : undefined;
}

/** A new authority, in PEM. Times are milliseconds since the Unix epoch. */
export async function newAuthority({
  name,
  notBefore,
  notAfter,
}: {
  name: string;
  notBefore: number;
  notAfter: number;
}): Promise<{ cert: string; key: string }> {
  const keys = await webcrypto.subtle.generateKey(ownAlgorithm, true, ["sign", "verify"]);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: newSerial(),
    name: `CN=${name}`,
    notBefore: new Date(notBefore),
    notAfter: new Date(notAfter),
    keys: keys,
    signingAlgorithm: { ...ownAlgorithm, hash: "SHA-256" },
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  const pkcs8 = await webcrypto.subtle.exportKey("pkcs8", keys.privateKey);
  return { cert: `${certificate.toString("pem")}\n`, key: x509.PemConverter.encode(pkcs8, "PRIVATE KEY") };
}

export interface AgentCertificateOptions {
  authority: { cert: string; key: string };
  /** Canonical; becomes the common name and the `urn:uuid:` name. */
  instanceUid: string;
  /** DER of the public key (SubjectPublicKeyInfo). */
  publicKey: Buffer;
  notBefore: number;
  notAfter: number;
}

/** Issues a client certificate, in PEM. Nothing of a request but its key goes into it. */
export async function issueAgentCertificate({
  authority,
  instanceUid,
  publicKey,
  notBefore,
  notAfter,
}: AgentCertificateOptions): Promise<string> {
  const issuer = new x509.X509Certificate(authority.cert);
  const { signingKey, signingAlgorithm } = signingKeyOf(authority.key);
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: newSerial(),
    subject: `CN=${instanceUid}`,
    issuer: issuer.subject,
    notBefore: new Date(notBefore),
    notAfter: new Date(notAfter),
    publicKey: new x509.PublicKey(publicKey),
    signingKey,
    signingAlgorithm,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([clientAuth]),
      new x509.SubjectAlternativeNameExtension([{ type: "url", value: `urn:uuid:${instanceUid}` }]),
      await x509.AuthorityKeyIdentifierExtension.create(issuer),
    ],
  });
  return `${certificate.toString("pem")}\n`;
}

/** RFC 5280, 4.1.2.2: positive, at most 20 octets; 126 random bits. */
function newSerial(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytes.toString("hex");
}

function signingKeyOf(pem: string) {
  const key = createPrivateKey(pem);
  const algorithm = algorithmOf(key.asymmetricKeyType, key.asymmetricKeyDetails?.namedCurve);
  return {
    signingKey: key.toCryptoKey(algorithm, false, ["sign"]),
    signingAlgorithm: algorithm,
  };
}

function algorithmOf(type: string | undefined, curve: string | undefined) {
  if (type === "rsa") return { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" };
  if (type === "ed25519") return { name: "Ed25519" };
  if (type === "ec" && curve === "prime256v1") return { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  if (type === "ec" && curve === "secp384r1") return { name: "ECDSA", namedCurve: "P-384", hash: "SHA-384" };
  throw new Error(
    `an authority cannot sign with this key (${curve ?? type}): use P-256, P-384, Ed25519 or RSA`,
  );
}
