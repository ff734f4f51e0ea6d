import { createHash, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { checkServerIdentity, rootCertificates, type SecureVersion } from "node:tls";
import type { ClientTls } from "../../opamp/agent/settings.ts";
import type { TlsSettings } from "../settings/supervisor-settings.ts";
import { opensslCipher, opensslCurve } from "./tls-names.ts";

const versions: Record<string, SecureVersion> = {
  "1.0": "TLSv1.2",
  "1.1": "TLSv1.2",
  "1.2": "TLSv1.2",
  "1.3": "TLSv1.3",
};

/**
 * `server.tls` as `node:tls` takes it. TLS 1.2 is the lowest version whatever the settings say.
 * @throws when a file cannot be read; the message names the key.
 */
export function clientTls(settings: TlsSettings, section = "server.tls"): ClientTls {
  const ca = material(`${section}.ca_file`, settings.caFile, settings.caPem);
  const cert = material(`${section}.cert_file`, settings.certFile, settings.certPem);
  const key = material(`${section}.key_file`, settings.keyFile, settings.keyPem);
  const authorities = ca !== undefined && settings.includeSystemCaCertsPool ? [ca, ...rootCertificates] : ca;
  return {
    rejectUnauthorized: !settings.insecureSkipVerify,
    minVersion: versions[settings.minVersion ?? "1.2"] ?? "TLSv1.2",
    ...(authorities !== undefined && { ca: authorities }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(settings.maxVersion && { maxVersion: versions[settings.maxVersion] ?? "TLSv1.3" }),
    ...(settings.serverNameOverride && { servername: settings.serverNameOverride }),
    ...(settings.cipherSuites.length > 0 && { ciphers: settings.cipherSuites.map(opensslCipher).join(":") }),
    ...(settings.curvePreferences.length > 0 && {
      ecdhCurve: settings.curvePreferences.map(opensslCurve).join(":"),
    }),
    ...(settings.pinSha256.length > 0 && { checkServerIdentity: pinned(settings) }),
  };
}

/** Only a server whose public key is pinned, and whose name fits as well, is the right one. */
function pinned({ pinSha256, insecureSkipVerify }: TlsSettings): typeof checkServerIdentity {
  if (insecureSkipVerify) {
    throw new Error("server.tls.pin_sha256: pins mean nothing with insecure_skip_verify: remove one of them");
  }
  return (host, certificate) => {
    const key = new X509Certificate(certificate.raw).publicKey.export({ type: "spki", format: "der" });
    const pin = createHash("sha256").update(key).digest("base64");
    if (pinSha256.includes(pin)) return checkServerIdentity(host, certificate);
    return new Error(`the server's public key (pin ${pin}) is none of server.tls.pin_sha256`);
  };
}

function material(key: string, file: string | undefined, pem: string | undefined): string | undefined {
  if (pem !== undefined && pem !== "") return pem;
  if (file === undefined || file === "") return undefined;
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new Error(`${key}: cannot read ${file}`, { cause });
  }
}
