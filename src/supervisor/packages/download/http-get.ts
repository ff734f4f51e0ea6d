import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { agentFor } from "../../../foundation/proxy/agent.ts";
import { proxyOfEnvironment } from "../../../foundation/proxy/environment.ts";
import { type ProxyFor, userinfoOf } from "../../../foundation/proxy/proxy.ts";
import type { DownloadDeps } from "./contract.ts";
import type { Lifeline } from "./lifeline.ts";
import type { Source } from "./sources.ts";

type HttpSource = Extract<Source, { t: "http" }>;

const maxRedirects = 5;

/** Headers that belong to the exchange, not to whom an offer gives them. */
const reserved =
  /^(?:accept-encoding|connection|content-.*|expect|host|if-.*|keep-alive|proxy-.*|range|te|trailer|transfer-encoding|upgrade)$/i;

/** A redirect that must not be followed. */
export class RedirectError extends Error {
  override readonly name = "RedirectError";
}

export interface Exchange extends Disposable {
  readonly response: IncomingMessage;
}

/**
 * One GET, redirects followed. The headers of the offer and the userinfo of its URL go to its own origin
 * only, and no more once a redirect has left that.
 * @throws RedirectError, the lifeline's reason, or node:http's errors.
 */
export async function httpGet(
  source: HttpSource,
  headers: Record<string, string>,
  lifeline: Lifeline,
  { tls, proxyFor = proxyOfEnvironment(process.env) }: Pick<DownloadDeps, "tls" | "proxyFor">,
): Promise<Exchange> {
  const trusted = Object.entries(source.headers).filter(([name]) => !reserved.test(name));
  let url = source.url;
  let isAtHome = true;
  for (let redirects = 0; ; redirects += 1) {
    const exchange = await exchangeWith(url, {
      headers: {
        ...(isAtHome ? Object.fromEntries(trusted) : {}),
        ...headers,
        "Accept-Encoding": "identity",
      },
      auth: isAtHome ? credentialsOf(source.url) : undefined,
      lifeline,
      tls,
      proxyFor,
    });
    const { statusCode = 0, headers: answered } = exchange.response;
    if (![301, 302, 303, 307, 308].includes(statusCode) || answered.location === undefined) return exchange;
    exchange[Symbol.dispose]();
    if (redirects === maxRedirects) throw new RedirectError(`it redirects more than ${maxRedirects} times`);
    url = target(answered.location, url);
    isAtHome &&= url.origin === source.url.origin;
  }
}

interface ExchangeOptions {
  readonly headers: Record<string, string>;
  readonly auth: string | undefined;
  readonly lifeline: Lifeline;
  readonly tls: DownloadDeps["tls"];
  readonly proxyFor: ProxyFor;
}

async function exchangeWith(url: URL, options: ExchangeOptions): Promise<Exchange> {
  const { headers, auth, lifeline, tls, proxyFor } = options;
  const bare = new URL(url);
  bare.username = "";
  bare.password = "";
  const isSecure = url.protocol === "https:";
  const start = isSecure ? httpsRequest : httpRequest;
  const agent = agentFor(bare, proxyFor(bare));
  const security = isSecure ? await trust(tls) : {};
  try {
    const response = await lifeline.hear(
      new Promise<IncomingMessage>((resolve, reject) => {
        const request = start(
          bare,
          { agent, headers, signal: lifeline.signal, ...(auth !== undefined && { auth }), ...security },
          (answer) => {
            // A break before it is read shows when it is read.
            answer.on("error", () => undefined);
            resolve(answer);
          },
        );
        request.on("error", reject);
        request.end();
      }),
    );
    return {
      response,
      [Symbol.dispose]: () => {
        response.destroy();
        agent.destroy();
      },
    };
  } catch (error) {
    agent.destroy();
    throw error;
  }
}

/** Never less than verification; a further authority is added to those that Node trusts. */
async function trust(tls: DownloadDeps["tls"]): Promise<{ rejectUnauthorized: true; ca?: string[] }> {
  if (tls === undefined) return { rejectUnauthorized: true };
  const { getCACertificates } = await import("node:tls");
  return { rejectUnauthorized: true, ca: [...getCACertificates("default"), tls.ca] };
}

function target(location: string, from: URL): URL {
  const url = URL.parse(location, from.href);
  if (url === null) throw new RedirectError("it redirects to what is no URL");
  if (url.protocol !== "https:" && url.protocol !== "http:") {
    throw new RedirectError(`it redirects to ${url.protocol}, which is neither http: nor https:`);
  }
  if (from.protocol === "https:" && url.protocol === "http:") {
    throw new RedirectError(`it redirects from https to http (${url.host}), which is not followed`);
  }
  return url;
}

function credentialsOf(url: URL): string | undefined {
  const userinfo = userinfoOf(url);
  return userinfo && `${userinfo.user}:${userinfo.password}`;
}
