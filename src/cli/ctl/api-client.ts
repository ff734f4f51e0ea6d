import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { type IncomingMessage, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { describeError } from "../../foundation/errors.ts";

export interface ApiClientOptions {
  /** Of the management listener. */
  server: URL;
  /** Sent as a bearer token. */
  token: string | undefined;
  /** PEM texts: an authority to trust instead of the usual ones, and a certificate of the caller's own. */
  ca: string | undefined;
  cert: string | undefined;
  key: string | undefined;
}

export interface ApiCall {
  method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  query?: Readonly<Record<string, string | undefined>>;
  headers?: Readonly<Record<string, string>>;
  /** Bytes as they are, or what becomes JSON. */
  body?: Uint8Array | object;
}

/** What the server refused, or that it cannot be reached; the message is for people. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  /** HTTP status; undefined when there was no answer. */
  readonly status: number | undefined;
  /** Seconds after which it may be tried again, as the server says. */
  readonly retryAfter: number | undefined;

  constructor(message: string, status?: number, retryAfter?: number) {
    super(message);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

/** A server that says nothing for so long, in milliseconds, is not waited for. */
const silenceMs = 60_000;

/** The management API of an opamp-server. */
export class ApiClient {
  readonly #options: ApiClientOptions;

  constructor(options: ApiClientOptions) {
    this.#options = options;
  }

  /** The JSON of an answer; undefined where there is none. @throws ApiError */
  async call(path: string, call: ApiCall = {}): Promise<unknown> {
    const { method = "GET" } = call;
    // One key for both tries: a POST whose answer was lost is not done twice.
    const headers = method === "POST" ? { "idempotency-key": randomUUID(), ...call.headers } : call.headers;
    const once = { ...call, headers: { ...headers } };
    try {
      return await this.#json(path, once);
    } catch (error) {
      const lost =
        error instanceof ApiError && error.status === undefined && error.message.includes("ECONNRESET");
      if (!lost) throw error;
      return await this.#json(path, once);
    }
  }

  async #json(path: string, call: ApiCall): Promise<unknown> {
    const response = await this.open(path, call);
    const text = await textOf(response);
    return text === "" ? undefined : JSON.parse(text);
  }

  /** An answer whose body is still to be read, if it is no problem. @throws ApiError */
  async open(path: string, call: ApiCall): Promise<IncomingMessage> {
    const response = await this.#send(path, call).catch((error: unknown) => {
      throw new ApiError(`cannot reach ${this.#options.server.origin}: ${describeError(error)}`);
    });
    const { statusCode = 0 } = response;
    if (statusCode < 300) return response;
    const retryAfter = Number(response.headers["retry-after"]);
    throw new ApiError(
      describeProblem(statusCode, await textOf(response)),
      statusCode,
      Number.isFinite(retryAfter) ? retryAfter : undefined,
    );
  }

  async #send(
    path: string,
    { method = "GET", query = {}, headers = {}, body }: ApiCall,
  ): Promise<IncomingMessage> {
    const { server, token, ca, cert, key } = this.#options;
    const url = new URL(path, server);
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) url.searchParams.set(name, value);
    }
    const bytes = body === undefined || body instanceof Uint8Array ? body : Buffer.from(JSON.stringify(body));
    const send = url.protocol === "https:" ? requestHttps : requestHttp;
    const request = send(url, {
      method,
      headers: {
        ...headers,
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        "content-length": bytes?.length ?? 0,
      },
      timeout: silenceMs,
      agent: false,
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
    });
    request.on("timeout", () => request.destroy(new Error(`no answer for ${silenceMs / 1000} s`)));
    request.end(bytes);
    const [response] = (await once(request, "response")) as [IncomingMessage];
    return response;
  }
}

async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

function describeProblem(status: number, text: string): string {
  try {
    const { detail, title } = JSON.parse(text) as { detail?: unknown; title?: unknown };
    if (typeof detail === "string") return typeof title === "string" ? `${title}: ${detail}` : detail;
  } catch {
    // No problem of ours: a proxy's page, or something else that listens there.
  }
  return `the server answered ${status}, and not as an opamp-server does: is --server right?`;
}
