import { type Agent, request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { errorCode } from "../../foundation/errors.ts";
import { agentFor } from "../../foundation/proxy/agent.ts";
import { type Destination, firstDestination, redirected } from "./redirect.ts";
import { type AgentSessionSettings, presentTls, proxyOf } from "./settings.ts";

/** What goes with a body: headers of the protocol go everywhere, those of the settings only where they are meant for. */
export interface PostHeaders {
  readonly protocol: Record<string, string>;
  readonly configured: Record<string, string>;
}

/** Posts bodies to one server, over connections that are kept open in between. */
export class HttpPost {
  readonly #settings: AgentSessionSettings;
  /** By origin: a redirect may lead to another. */
  readonly #agents = new Map<string, Agent>();

  constructor(settings: AgentSessionSettings) {
    this.#settings = settings;
  }

  /** The answer to a body, redirects followed as far as the settings allow; its own body is not read yet. */
  async post(headers: PostHeaders, body: Uint8Array, signal: AbortSignal): Promise<IncomingMessage> {
    for (let destination = firstDestination(this.#settings); ; ) {
      const response = await this.#deliver(destination, headers, body, signal);
      const next = redirected(destination, response.statusCode ?? 0, response.headers, this.#settings);
      if (next === undefined) return response;
      response.destroy();
      destination = next;
    }
  }

  destroy(): void {
    for (const agent of this.#agents.values()) agent.destroy();
  }

  async #deliver(
    { url, isTrusted }: Destination,
    { protocol, configured }: PostHeaders,
    body: Uint8Array,
    signal: AbortSignal,
  ): Promise<IncomingMessage> {
    const headers = { ...(isTrusted ? configured : {}), ...protocol };
    try {
      return await this.#request(url, headers, body, signal);
    } catch (error) {
      // The server closed an idle connection just when it was used again. A duplicate does no harm (AT14).
      if (!(error instanceof StaleConnection)) throw error;
      return await this.#request(url, headers, body, signal);
    }
  }

  #request(
    url: URL,
    headers: Record<string, string>,
    body: Uint8Array,
    signal: AbortSignal,
  ): Promise<IncomingMessage> {
    const agent = this.#agentOf(url);
    // Asked for each request: a connection made for it shows the certificate that is valid then.
    const options = { ...presentTls(this.#settings), method: "POST", agent, headers, signal };
    const start = url.protocol === "https:" ? httpsRequest : httpRequest;
    return new Promise((resolve, reject) => {
      const request = start(url, options, resolve);
      request.on("error", (error) => {
        const stale = request.reusedSocket && errorCode(error) === "ECONNRESET" && !signal.aborted;
        reject(stale ? new StaleConnection() : error);
      });
      request.end(body);
    });
  }

  #agentOf(url: URL): Agent {
    const agent =
      this.#agents.get(url.origin) ??
      agentFor(url, proxyOf(this.#settings, url), { keepAlive: true, maxSockets: 1 });
    this.#agents.set(url.origin, agent);
    return agent;
  }
}

class StaleConnection extends Error {}
