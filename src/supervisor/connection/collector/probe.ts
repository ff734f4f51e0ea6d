import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { getCACertificates } from "node:tls";
import { describeError, errorCode } from "../../../foundation/errors.ts";
import { agentFor } from "../../../foundation/proxy/agent.ts";
import { proxyOfEnvironment } from "../../../foundation/proxy/environment.ts";
import type { Failure } from "../../change/change.ts";
import type { Destination } from "./destination.ts";

/** Of the whole attempt. Milliseconds. */
const timeoutMs = 5_000;

/** The host or the network, not what was offered. A name that is not known may be known later. */
const unreachable =
  /^(?:ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|ENETDOWN|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|ENOENT|EACCES|EPERM)$/;

/**
 * Sends an empty export request, as the Collector would send its first, so that a destination that cannot be had is
 * known before the present one is given up: the Collector itself would only complain to its log. `environment` is the
 * Collector's, whose proxies it goes by. Never rejects.
 */
export async function probeDestination(
  destination: Destination,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<Failure | undefined> {
  try {
    return judgeStatus(await post(destination, environment));
  } catch (error) {
    const isHost = unreachable.test(errorCode(error) ?? "") || (error as Error).name === "TimeoutError";
    const what = isHost ? "its endpoint cannot be reached" : "its endpoint cannot be used";
    return { fault: isHost ? "host" : "own", reason: `${what}: ${describeError(error)}` };
  }
}

/** What a receiver that is busy, or dislikes an empty request, answers is no reason against it. */
function judgeStatus(status: number): Failure | undefined {
  const own = (reason: string): Failure => ({ fault: "own", reason });
  if (status >= 300 && status < 400)
    return own(`its endpoint redirects (HTTP ${status}): name the target itself`);
  if (status === 401 || status === 403) return own(`its endpoint refuses the credentials (HTTP ${status})`);
  if (status === 404 || status === 405 || status === 415) {
    return own(`its endpoint is no OTLP/HTTP receiver of this signal (HTTP ${status})`);
  }
  return undefined;
}

/** Resolves with the status. */
async function post(
  { endpoint, headers, ca, certificate }: Destination,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<number> {
  const url = new URL(endpoint);
  const signal = AbortSignal.timeout(timeoutMs);
  // The Collector trusts what the operating system does, and Node by default something else.
  const tls = { ...certificate, ca: ca ?? systemAuthorities() };
  const isSecure = url.protocol === "https:";
  const agent = agentFor(url, proxyOfEnvironment(environment)(url), isSecure ? tls : {});
  const options = {
    method: "POST",
    headers: { ...headers, "Content-Type": "application/x-protobuf", "Content-Length": "0" },
    signal,
    agent,
  };
  try {
    return await new Promise<number>((resolve, reject) => {
      const request = (isSecure ? httpsRequest : httpRequest)(url, options);
      request.on("error", (error) => reject(signal.aborted ? signal.reason : error));
      request.on("response", (response) => {
        response.on("error", reject);
        response.resume();
        resolve(response.statusCode ?? 0);
      });
      request.end();
    });
  } finally {
    agent.destroy();
  }
}

function systemAuthorities(): string[] | undefined {
  const known = getCACertificates("system");
  return known.length > 0 ? known : undefined;
}
