import type { IncomingMessage, ServerResponse } from "node:http";
import { type ApiRequest, type ApiResult, type Handler, ProblemError, problemResult } from "./http.ts";

export interface ApiListenerOptions {
  handler: Handler;
  /** Largest request body in bytes. */
  maxBodyBytes: number;
}

/** Serves a handler on a node HTTP server's `request` event. */
export function apiListener({ handler, maxBodyBytes }: ApiListenerOptions) {
  return (request: IncomingMessage, response: ServerResponse): void => {
    void answer(request, handler, maxBodyBytes).then(
      (result) => write(request, response, result),
      // Only a connection that broke while its body was read ends here.
      () => response.destroy(),
    );
  };
}

async function answer(request: IncomingMessage, handler: Handler, maxBodyBytes: number): Promise<ApiResult> {
  try {
    refuseForeignPages(request);
    return await handler(await readRequest(request, maxBodyBytes));
  } catch (error) {
    if (error instanceof ProblemError) return problemResult(error);
    throw error;
  }
}

/**
 * Keeps any web page an operator happens to visit from pushing configurations through their browser:
 * the API takes every content type, so that no preflight would stop it.
 */
function refuseForeignPages(request: IncomingMessage): void {
  if (request.method === "GET" || request.method === "HEAD") return;
  const { origin, host } = request.headers;
  const site = request.headers["sec-fetch-site"];
  const foreignSite = site !== undefined && site !== "same-origin" && site !== "none";
  const foreignOrigin = origin !== undefined && hostOf(origin) !== host;
  if (foreignSite || foreignOrigin) {
    throw new ProblemError(403, "Foreign origin", "requests of web pages from elsewhere are not taken");
  }
}

function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}

async function readRequest(request: IncomingMessage, maxBodyBytes: number): Promise<ApiRequest> {
  const [path, query] = splitOnce(request.url ?? "/", "?");
  return {
    method: request.method ?? "GET",
    path,
    query: new URLSearchParams(query),
    params: {},
    contentType: request.headers["content-type"],
    body: await readBody(request, maxBodyBytes),
  };
}

async function readBody(request: IncomingMessage, maxBodyBytes: number): Promise<Uint8Array> {
  const tooLarge = () =>
    new ProblemError(
      413,
      "Body too large",
      `the body is larger than ${maxBodyBytes} bytes (management.max_body_size)`,
      // The rest is not read, so that the connection cannot be used again.
      { connection: "close" },
    );
  if (Number(request.headers["content-length"] ?? 0) > maxBodyBytes) throw tooLarge();
  const chunks: Uint8Array[] = [];
  let size = 0;
  // Destroying the request would take the answer with it.
  const pieces: AsyncIterable<Uint8Array> = request.iterator({ destroyOnReturn: false });
  for await (const chunk of pieces) {
    size += chunk.length;
    if (size > maxBodyBytes) throw tooLarge();
    chunks.push(chunk);
  }
  return new Uint8Array(Buffer.concat(chunks));
}

function write(request: IncomingMessage, response: ServerResponse, result: ApiResult): void {
  const body = Buffer.from(`${JSON.stringify(result.body)}\n`);
  response.writeHead(result.status, {
    "content-type": "application/json",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    ...result.headers,
    "content-length": body.length,
  });
  response.end(request.method === "HEAD" ? undefined : body);
}

function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + separator.length)];
}
