import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import type { Credentials } from "./test-authority.ts";

/** One request for a token. */
interface TokenRequest {
  readonly authorization: string | undefined;
  readonly form: URLSearchParams;
}

/** The token endpoint of an OAuth2 server (RFC 6749 section 4.4), over TLS. Gives token-1, token-2 and so on. */
export class TokenEndpoint implements AsyncDisposable {
  readonly requests: TokenRequest[] = [];
  /** Seconds, as `expires_in`. */
  lifetime: number | undefined = 3_600;
  /** Does not take the client's credentials in a header. */
  wantsForm = false;
  /** Answers with this status instead. */
  failing: number | undefined;
  readonly #server: Server;

  static async start(credentials: Credentials): Promise<TokenEndpoint> {
    const endpoint = new TokenEndpoint(credentials);
    endpoint.#server.listen(0, "127.0.0.1");
    await once(endpoint.#server, "listening");
    return endpoint;
  }

  private constructor(credentials: Credentials) {
    this.#server = createServer(credentials, (request, response) => void this.#answer(request, response));
  }

  get url(): string {
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}/oauth2/token`;
  }

  /** The newest token. */
  get token(): string {
    return `token-${this.requests.length}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const form = new URLSearchParams(await text(request));
    const { authorization } = request.headers;
    response.setHeader("content-type", "application/json");
    const failing = this.wantsForm && authorization !== undefined ? 401 : this.failing;
    if (failing !== undefined) {
      // As careless as a server can be.
      response.writeHead(failing);
      response.end(JSON.stringify({ error: "invalid_client", error_description: authorization }));
      return;
    }
    this.requests.push({ authorization, form });
    response.end(
      JSON.stringify({ access_token: this.token, token_type: "Bearer", expires_in: this.lifetime }),
    );
  }
}
