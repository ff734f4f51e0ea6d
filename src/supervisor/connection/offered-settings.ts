import { createPrivateKey } from "node:crypto";
import type { AgentSessionSettings } from "../../opamp/agent/settings.ts";
import type { OpAMPConnectionSettings, TLSCertificate, TLSConnectionSettings } from "../../opamp/messages.ts";
import type { CertificateRequestRecord, Overrides } from "./connection-record.ts";
import { offeredHeaders } from "./offered-headers.ts";
import { offeredProxy } from "./offered-proxy.ts";
import { isSecure, skipsVerification } from "./session-settings.ts";
import { checkChain, parseChain } from "./tls-material.ts";
import { opensslCipher } from "./tls-names.ts";
import { UnusableOfferError } from "./unusable-offer.ts";

/** As long as the agent session takes from an offer. Seconds. */
const maxHeartbeatSeconds = 24 * 60 * 60;

/** What an offer is read against. */
export interface OfferContext {
  overrides: Overrides;
  /** Of the connection in use. */
  current: AgentSessionSettings;
  /** A key of this host that waits for its certificate. */
  request: CertificateRequestRecord | undefined;
}

/**
 * The overrides in use with an offer over them; what the offer leaves out keeps its value (AN2, AN6-AN8, AN11,
 * D3). No offer turns verification off, or leads from TLS to plain text.
 * @throws UnusableOfferError
 */
export function withOffer(context: OfferContext, offer: OpAMPConnectionSettings): Overrides {
  const { overrides, current, request } = context;
  const { destinationEndpoint, headers, certificate, tls, proxy, heartbeatIntervalSeconds } = offer;
  const endpoint = destinationEndpoint === "" ? undefined : parseEndpoint(destinationEndpoint, current);
  const cert = certificate && offeredCertificate(certificate, ownKeys(request, overrides));
  return {
    ...overrides,
    ...(endpoint && { endpoint: endpoint.href }),
    ...(headers && { headers: offeredHeaders(headers.headers) }),
    ...(cert && { certificate: cert }),
    ...(tls && { tls: offeredTls(tls, overrides, current) }),
    ...(proxy && { proxy: offeredProxy(proxy) }),
    ...(heartbeatIntervalSeconds > 0n && {
      heartbeatSeconds: Math.min(Number(heartbeatIntervalSeconds), maxHeartbeatSeconds),
    }),
  };
}

function parseEndpoint(text: string, current: AgentSessionSettings): URL {
  const endpoint = URL.parse(text);
  if (endpoint === null || !/^(wss?|https?):$/.test(endpoint.protocol)) {
    throw new UnusableOfferError("its endpoint is not a ws, wss, http or https URL");
  }
  if (isSecure(current.endpoint) && !isSecure(endpoint)) {
    throw new UnusableOfferError(
      "it would lead from TLS to plain text; only supervisor.yaml can name an endpoint without TLS",
    );
  }
  return endpoint;
}

function offeredCertificate(
  { cert, privateKey, caCert }: TLSCertificate,
  ownKeys: readonly string[],
): Overrides["certificate"] {
  if (cert.length === 0) {
    if (privateKey.length === 0) return undefined;
    throw new UnusableOfferError("it has a private key without a certificate");
  }
  if (privateKey.length > 0) return { cert: text(cert), key: text(privateKey), own: false };
  // The answer to a request of this host (AN19, D4).
  const [newest] = ownKeys;
  if (newest !== undefined) {
    const chain = parseChain(text(cert), "certificate");
    // Never an authority to trust (AN14), only what the certificate has to be signed by.
    if (caCert.length > 0) {
      checkChain(chain, parseChain(text(caCert), "authority"));
    }
    const key = ownKeys.find((pem) => chain[0]?.checkPrivateKey(createPrivateKey(pem)));
    return { cert: text(cert), key: key ?? newest, own: true };
  }
  throw new UnusableOfferError(
    "its certificate comes without a private key, and this host has asked for none",
  );
}

/** The key that waits for its certificate, and the one in use: a request may have been answered twice. */
function ownKeys(request: CertificateRequestRecord | undefined, { certificate }: Overrides): string[] {
  return [request?.key, certificate?.own === true ? certificate.key : undefined].filter(
    (key) => key !== undefined,
  );
}

function offeredTls(
  offer: TLSConnectionSettings,
  overrides: Overrides,
  current: AgentSessionSettings,
): Overrides["tls"] {
  if (offer.insecureSkipVerify && !skipsVerification(current)) {
    throw new UnusableOfferError("it would turn the verification of certificates off");
  }
  const former = overrides.tls;
  const ca = offer.caPemContents || former?.ca;
  const minVersion = tlsVersion(offer.minVersion) ?? former?.minVersion;
  const maxVersion = tlsVersion(offer.maxVersion) ?? former?.maxVersion;
  if (minVersion !== undefined && maxVersion !== undefined && maxVersion < minVersion) {
    throw new UnusableOfferError("its lowest TLS version is above its highest");
  }
  const cipherSuites = offer.cipherSuites.map(opensslCipher);
  return {
    ...(ca && { ca }),
    includeSystemCas: offer.includeSystemCaCertsPool,
    insecureSkipVerify: offer.insecureSkipVerify,
    ...(minVersion && { minVersion }),
    ...(maxVersion && { maxVersion }),
    cipherSuites: cipherSuites.length > 0 ? cipherSuites : (former?.cipherSuites ?? []),
  };
}

/**
 * `1.2` and `TLSv1.2` mean the same (AN12); what is below 1.2 is 1.2.
 * @throws UnusableOfferError
 */
export function tlsVersion(text: string): "TLSv1.2" | "TLSv1.3" | undefined {
  if (text === "") return undefined;
  const [, minor] = /^(?:TLS ?v?)?1\.([0-3])$/i.exec(text) ?? [];
  if (minor === undefined) throw new UnusableOfferError("it names a TLS version that there is not");
  return minor === "3" ? "TLSv1.3" : "TLSv1.2";
}

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
