import { type AgentSessionSettings, type ClientTls, presentTls } from "../../opamp/agent/settings.ts";
import type { OpAMPConnectionSettings, TLSCertificate, TLSConnectionSettings } from "../../opamp/messages.ts";

/** An offer that cannot be used, in words for the log and the server. */
class UnusableOfferError extends Error {
  override readonly name = "UnusableOfferError";
}

/**
 * The settings in use with an offer over them; what the offer leaves out keeps its value (AN6-AN8, AN11,
 * D3). undefined when it offers nothing but a heartbeat interval. No offer turns verification off.
 * @throws UnusableOfferError
 */
export function withOffer(
  current: AgentSessionSettings,
  offer: OpAMPConnectionSettings,
): AgentSessionSettings | undefined {
  const { destinationEndpoint, headers, certificate, tls, proxy } = offer;
  const isEmpty = destinationEndpoint === "" && !headers && !certificate && !tls;
  if (proxy !== undefined) throw new UnusableOfferError("it names a proxy, which is not supported");
  if (isEmpty) return undefined;
  const endpoint = destinationEndpoint === "" ? current.endpoint : parseEndpoint(destinationEndpoint);
  const material = isSecure(endpoint) ? offeredTls(certificate, tls) : undefined;
  const offered = Object.fromEntries((headers?.headers ?? []).map(({ key, value }) => [key, value]));
  return {
    ...current,
    endpoint,
    headers: headers === undefined ? current.headers : () => offered,
    ...(material && { tls: () => ({ ...presentTls(current), ...material }) }),
  };
}

function parseEndpoint(text: string): URL {
  const endpoint = URL.parse(text);
  if (endpoint === null || !/^(wss?|https?):$/.test(endpoint.protocol)) {
    throw new UnusableOfferError("its endpoint is not a ws, wss, http or https URL");
  }
  return endpoint;
}

const isSecure = ({ protocol }: URL) => protocol === "wss:" || protocol === "https:";

/** What an offer says about TLS. */
function offeredTls(certificate?: TLSCertificate, tls?: TLSConnectionSettings): ClientTls {
  if (tls?.insecureSkipVerify)
    throw new UnusableOfferError("it would turn the verification of certificates off");
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  const cert = certificate && certificate.cert.length > 0 ? text(certificate.cert) : undefined;
  const key = certificate && certificate.privateKey.length > 0 ? text(certificate.privateKey) : undefined;
  if (cert !== undefined && key === undefined) {
    throw new UnusableOfferError("its certificate comes without a private key");
  }
  const minVersion = /1\.3$/.test(tls?.minVersion ?? "") ? "TLSv1.3" : undefined;
  return {
    ...(cert !== undefined && key !== undefined && { cert, key }),
    ...(tls !== undefined && tls.caPemContents !== "" && { ca: tls.caPemContents }),
    ...(minVersion && { minVersion }),
  };
}
