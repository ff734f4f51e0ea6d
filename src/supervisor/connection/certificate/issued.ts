import { X509Certificate } from "node:crypto";
import { uriOf } from "./signing-request.ts";

/** When a certificate in PEM ends, in milliseconds since the Unix epoch; 0 when it cannot be read. */
export function expiryOf(pem: string): number {
  try {
    return Date.parse(new X509Certificate(pem).validTo);
  } catch {
    return 0;
  }
}

/** Whether a certificate names the agent as its request did: by its common name, or a `urn:uuid:` name. */
export function namesAgent(pem: string, instanceUid: string): boolean {
  const { subject, subjectAltName = "" } = new X509Certificate(pem);
  const commonName = /^CN=(.*)$/m.exec(subject)?.[1];
  const names = subjectAltName.split(", ");
  return commonName === instanceUid || names.includes(`URI:${uriOf(instanceUid)}`);
}

/**
 * From when on a certificate is to be renewed: `renewBeforeMs` before it ends, or a third of its lifetime before
 * where that is shorter; a tenth of that time is given to chance, so that a fleet does not renew as one.
 */
export function renewalTime(pem: string, renewBeforeMs: number, random: number): number {
  const { validFrom, validTo } = new X509Certificate(pem);
  const until = Date.parse(validTo);
  const window = Math.min(renewBeforeMs, (until - Date.parse(validFrom)) / 3);
  return until - window + (window / 10) * random;
}
