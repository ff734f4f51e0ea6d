import { X509Certificate } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { TLSSocket } from "node:tls";
import { onTestFinished } from "vitest";
import type { RecordingOpampServer } from "./recording-opamp-server.ts";
import { type CertificateOptions, TestAuthority } from "./test-authority.ts";

/** The authorities and credentials of one OpAMP server that issues certificates, and of its agents. */
export interface IssuingPki {
  /** Signs the server's certificate. */
  serverAuthority: TestAuthority;
  /** Signs those of agents. */
  agentAuthority: TestAuthority;
  /** Serials of the certificates that agents showed, in the order of their connections or requests. */
  shown: string[];
  /** For {@link RecordingServerOptions}: takes agents with a certificate only. */
  serverOptions: { tls: object; refuse: (request: IncomingMessage) => number | undefined };
  /** `server.tls` of a host that was set up with a certificate that many share. */
  bootstrapTls: Record<string, unknown>;
  /** Serial of that one. */
  bootstrapSerial: string;
}

export async function issuingPki(): Promise<IssuingPki> {
  const [serverAuthority, agentAuthority] = await Promise.all([
    TestAuthority.create("Servers"),
    TestAuthority.create("Agents"),
  ]);
  const own = await serverAuthority.issue({ name: "server" });
  const bootstrap = await agentAuthority.issue({ name: "bootstrap" });
  const shown: string[] = [];
  return {
    serverAuthority,
    agentAuthority,
    shown,
    serverOptions: {
      tls: { ...own, ca: agentAuthority.cert, requestCert: true, rejectUnauthorized: true },
      refuse: ({ socket }) => {
        shown.push((socket as TLSSocket).getPeerCertificate().serialNumber);
        return undefined;
      },
    },
    bootstrapTls: { ca_pem: serverAuthority.cert, cert_pem: bootstrap.cert, key_pem: bootstrap.key },
    bootstrapSerial: new X509Certificate(bootstrap.cert).serialNumber,
  };
}

/** What a server has issued so far. */
export interface Issued {
  /** PEM, in order. */
  certificates: string[];
  /** PEM of the requests. */
  requests: string[];
}

/**
 * Has a server answer every request for a certificate, each time with what `options` say at that moment. The
 * number of the offer is that of the certificate, from 1.
 */
export function issueCertificates(
  server: RecordingOpampServer,
  authority: TestAuthority,
  options: () => CertificateOptions = () => ({}),
): Issued {
  const issued: Issued = { certificates: [], requests: [] };
  const failures: unknown[] = [];
  onTestFinished(() => {
    if (failures.length > 0) throw failures[0];
  });
  const encode = (text: string) => new TextEncoder().encode(text);
  server.answer = ({ message: { connectionSettingsRequest } }) => {
    const csr = connectionSettingsRequest?.opamp?.certificateRequest?.csr;
    if (csr === undefined) return {};
    const request = new TextDecoder().decode(csr);
    authority
      .sign(request, options())
      .then((cert) => {
        issued.requests.push(request);
        issued.certificates.push(cert);
        const number = issued.certificates.length;
        const certificate = { cert: encode(cert), caCert: encode(authority.cert) };
        const hash = new Uint8Array([number & 0xff, number >> 8]);
        server.push({ connectionSettings: { hash, opamp: { certificate } } });
      })
      .catch((error: unknown) => failures.push(error));
    return {};
  };
  return issued;
}
