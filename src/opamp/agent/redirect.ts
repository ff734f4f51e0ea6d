import type { IncomingHttpHeaders } from "node:http";
import type { AgentSessionSettings } from "./settings.ts";

/** More in a row are a circle, or somebody's joke. */
const maxRedirects = 5;

const statuses: ReadonlySet<number> = new Set([301, 302, 307, 308]);
/** Both transports by the scheme that a server may name either way. */
const secureSchemes: ReadonlySet<string> = new Set(["wss:", "https:"]);

/** Where one attempt goes, and whether the configured headers go along. */
export interface Destination {
  readonly url: URL;
  /** False as soon as a redirect has left the place that the headers are meant for. */
  readonly isTrusted: boolean;
  readonly redirects: number;
}

/** Each attempt begins at the endpoint: no redirect is remembered. */
export function firstDestination({ endpoint }: Pick<AgentSessionSettings, "endpoint">): Destination {
  const url = new URL(endpoint);
  url.hash = "";
  return { url, isTrusted: true, redirects: 0 };
}

/**
 * Where an answer redirects to; undefined when it does not, or to where nobody is to be led: another host than the
 * endpoint's or one that is allowed, or from TLS to plain text.
 */
export function redirected(
  from: Destination,
  status: number,
  { location }: IncomingHttpHeaders,
  { endpoint, allowedRedirectHosts = [] }: Pick<AgentSessionSettings, "endpoint" | "allowedRedirectHosts">,
): Destination | undefined {
  if (!statuses.has(status) || location === undefined || from.redirects >= maxRedirects) return undefined;
  const url = URL.parse(location, from.url.href);
  if (url === null || !/^(?:ws|http)s?:$/.test(url.protocol)) return undefined;
  const isSecure = secureSchemes.has(url.protocol);
  if (secureSchemes.has(from.url.protocol) && !isSecure) return undefined;
  const isSameHost = url.hostname === endpoint.hostname;
  if (!isSameHost && !allowedRedirectHosts.some((host) => host === url.host || host === url.hostname)) {
    return undefined;
  }
  const target = new URL(`${schemeOf(from.url, isSecure)}//${url.host}${url.pathname}${url.search}`);
  // Another port of the same host may be somebody else's, unless it is where TLS begins.
  const isSamePlace =
    isSameHost && (target.host === endpoint.host || (!secureSchemes.has(endpoint.protocol) && isSecure));
  return { url: target, isTrusted: from.isTrusted && isSamePlace, redirects: from.redirects + 1 };
}

/** A redirect changes the place, not the transport. */
function schemeOf({ protocol }: URL, isSecure: boolean): string {
  const plain = protocol.startsWith("ws") ? "ws" : "http";
  return isSecure ? `${plain}s:` : `${plain}:`;
}
