import type { IncomingHttpHeaders } from "node:http";
import type { LinkFailure } from "./link.ts";
import { throttleMs } from "./retry-after.ts";

/** How long a dial, or a request until its whole answer, may take. */
export const requestTimeoutMs = 30_000;

const reserved =
  /^(?:accept-encoding|connection|content-encoding|content-length|content-type|opamp-instance-uid|sec-websocket-.*|te|trailer|transfer-encoding|upgrade)$/i;

/** The caller's headers without those that belong to the protocol. */
export function callerHeaders(headers: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !reserved.test(name)));
}

/** What an HTTP status that is no answer means for the next attempt (AW14, AH12, AE5, D8). */
export function statusFailure(
  status: number,
  headers: IncomingHttpHeaders,
  endpoint: URL,
  now: number,
): LinkFailure {
  if (status === 429 || status === 503) {
    const error = new Error(`the server is overloaded (HTTP ${status})`);
    return { error, pace: "throttled", retryAfterMs: throttleMs(headers["retry-after"], now) };
  }
  return { error: new Error(statusText(status, headers, endpoint)), pace: "backoff" };
}

function statusText(status: number, headers: IncomingHttpHeaders, endpoint: URL): string {
  if (status === 401 || status === 403) {
    return `the server refused the credentials (HTTP ${status}); check the headers and the client certificate`;
  }
  if (status >= 300 && status < 400 && headers.location !== undefined) {
    // Following it would hand the credentials to another host.
    const target = URL.canParse(headers.location, endpoint.href)
      ? new URL(headers.location, endpoint.href).host
      : "nowhere";
    return `the server redirects to ${target} (HTTP ${status}), which is not followed; set the endpoint to it, or allow redirects to that host, if it is right`;
  }
  if (status === 404) return "there is no OpAMP server at this path (HTTP 404); check the endpoint";
  return `the server answered HTTP ${status}`;
}
