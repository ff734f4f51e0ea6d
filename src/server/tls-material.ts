import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { createSecureContext, type SecureContextOptions } from "node:tls";
import { describeError } from "../foundation/errors.ts";
import type { ListenerTls, PemSource } from "./settings/server-settings.ts";

/** Certificates or keys that cannot be used; the message names the setting. */
export class TlsMaterialError extends Error {
  override readonly name = "TlsMaterialError";
}

/** What a node TLS server needs of {@link ListenerTls}. */
export type TlsMaterial = SecureContextOptions & { requestCert: boolean; rejectUnauthorized: boolean };

/**
 * Reads and checks the certificates of a listener. `setting` is its place in server.yaml, for errors. An authority in
 * `alsoTrust` (PEM) has clients asked for a certificate, without one being needed: who comes without is judged later.
 * @throws TlsMaterialError when a file cannot be read, is no PEM, or key and certificate do not belong together.
 */
export function loadTlsMaterial(tls: ListenerTls, setting: string, alsoTrust?: string): TlsMaterial {
  const cert = readPem(tls.certificate, `${setting}.cert`);
  const key = readPem(tls.key, `${setting}.key`);
  const ca = tls.clientCa === undefined ? undefined : readPem(tls.clientCa, `${setting}.client_ca`);
  const certificate = parse(
    () => new X509Certificate(cert),
    tls.certificate,
    `${setting}.cert`,
    "certificate",
  );
  const privateKey = parse(() => createPrivateKey(key), tls.key, `${setting}.key`, "private key");
  if (!certificate.checkPrivateKey(privateKey)) {
    throw new TlsMaterialError(`${setting}: the key does not belong to the certificate`);
  }
  if (tls.clientCa !== undefined && ca !== undefined) {
    parse(() => new X509Certificate(ca), tls.clientCa, `${setting}.client_ca`, "certificate");
  }
  const trusted = [ca, alsoTrust].filter((each) => each !== undefined);
  const options: SecureContextOptions = {
    cert,
    key,
    minVersion: tls.minVersion === "1.3" ? "TLSv1.3" : "TLSv1.2",
    ...(trusted.length === 0 ? {} : { ca: trusted }),
  };
  try {
    createSecureContext(options);
  } catch (cause) {
    throw new TlsMaterialError(`${setting}: ${describeError(cause)}`);
  }
  return { ...options, requestCert: trusted.length > 0, rejectUnauthorized: ca !== undefined };
}

/** When the certificate of each listener with TLS ends, in milliseconds since the Unix epoch. */
export function certificateExpiries(listeners: Readonly<Record<string, ListenerTls | undefined>>) {
  return Object.entries(listeners).flatMap(([listener, tls]) => {
    if (tls === undefined) return [];
    const { validTo } = new X509Certificate(readPem(tls.certificate, `${listener}.tls.cert`));
    return [{ listener, at: Date.parse(validTo) }];
  });
}

function readPem(source: PemSource, setting: string): string {
  if ("pem" in source) return source.pem;
  try {
    return readFileSync(source.file, "utf8");
  } catch (cause) {
    throw new TlsMaterialError(`${setting}_file: cannot read ${source.file}: ${describeError(cause)}`);
  }
}

/** The text itself may be a secret, so that an error tells only where it came from. */
function parse<T>(read: () => T, source: PemSource, setting: string, expected: string): T {
  try {
    return read();
  } catch {
    const where = "pem" in source ? `${setting}_pem` : `${setting}_file: ${source.file}`;
    throw new TlsMaterialError(`${where} is not a PEM ${expected} that can be read without a passphrase`);
  }
}
