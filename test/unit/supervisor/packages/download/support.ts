import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { Clock, Timer } from "../../../../../src/foundation/clock.ts";
import type { LogFields, Logger } from "../../../../../src/foundation/logger.ts";
import type {
  DownloadDeps,
  DownloadOutcome,
  DownloadProgress,
  DownloadRequest,
  DownloadSettings,
} from "../../../../../src/supervisor/packages/download/contract.ts";
import { download } from "../../../../../src/supervisor/packages/download/download.ts";
import { tempDir } from "../../../../support/temp-dir.ts";

/** A file to serve. */
export interface Content {
  readonly bytes: Buffer;
  readonly sha256: string;
}

export function content(bytes: number | Buffer): Content {
  const data = typeof bytes === "number" ? randomBytes(bytes) : bytes;
  return { bytes: data, sha256: sha256Of(data) };
}

function sha256Of(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

type Handler = (
  request: IncomingMessage,
  response: ServerResponse,
  /** From 0. */
  index: number,
) => void;

export interface FileServer {
  readonly origin: string;
  readonly requests: IncomingMessage[];
  /** Of each request, in order. */
  readonly ranges: (string | undefined)[];
  handler: Handler;
  /** Closes every connection. */
  hangUp(): void;
  stop(): Promise<void>;
}

/** A server on loopback, until the test ends. */
export async function fileServer(handler: Handler, tls?: { key: string; cert: string }): Promise<FileServer> {
  const requests: IncomingMessage[] = [];
  const answer = (request: IncomingMessage, response: ServerResponse) => {
    requests.push(request);
    server.handler(request, response, requests.length - 1);
  };
  const http: Server = tls === undefined ? createServer(answer) : createTlsServer(tls, answer);
  http.listen(0, "127.0.0.1");
  await once(http, "listening");
  let running = true;
  const server: FileServer = {
    origin: `${tls === undefined ? "http" : "https"}://127.0.0.1:${(http.address() as AddressInfo).port}`,
    requests,
    get ranges() {
      return requests.map(({ headers }) => headers.range);
    },
    handler,
    hangUp: () => http.closeAllConnections(),
    async stop() {
      if (!running) return;
      running = false;
      http.closeAllConnections();
      http.close();
      await once(http, "close");
    },
  };
  onTestFinished(() => server.stop());
  return server;
}

export interface ServeOptions {
  etag?: string;
  lastModified?: string;
  /** Closes the connection after this many bytes of the answer. */
  breakAfter?: number;
}

/** Serves a file as a good server does: ranges, If-Range. Returns the number of bytes that it sends. */
export function serve(
  request: IncomingMessage,
  response: ServerResponse,
  { bytes }: Content,
  { etag, lastModified, breakAfter }: ServeOptions = {},
): number {
  if (etag !== undefined) response.setHeader("ETag", etag);
  if (lastModified !== undefined) response.setHeader("Last-Modified", lastModified);
  const condition = request.headers["if-range"];
  const isSame = condition === undefined || condition === etag || condition === lastModified;
  const start = isSame ? Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0) : 0;
  if (start > 0) {
    const isThere = start < bytes.length;
    response.statusCode = isThere ? 206 : 416;
    const range = isThere ? `${start}-${bytes.length - 1}` : "*";
    response.setHeader("Content-Range", `bytes ${range}/${bytes.length}`);
  }
  return sendBody(response, bytes.subarray(start), breakAfter);
}

/** Sends a body of known length, or breaks off in the middle of it, once that much has left. */
export function sendBody(response: ServerResponse, body: Buffer, breakAfter?: number): number {
  response.setHeader("Content-Length", body.length);
  if (breakAfter === undefined || breakAfter >= body.length) {
    response.end(body);
    return body.length;
  }
  response.write(body.subarray(0, breakAfter), () => response.socket?.destroySoon());
  return breakAfter;
}

/**
 * A clock on which every wait is over at once, except for the patience with a source, which only
 * {@link stall} ends.
 */
export class ImpatientClock implements Clock {
  /** Delays of more than a second, which are those between tries and those of a bandwidth limit. */
  readonly waits: number[] = [];
  readonly #stallTimeoutMs: number;
  readonly #stalls = new Set<() => void>();
  #now = 0;

  constructor(stallTimeoutMs: number) {
    this.#stallTimeoutMs = stallTimeoutMs;
  }

  now(): number {
    return Date.parse("2026-01-01T00:00:00Z") + this.#now;
  }

  monotonic(): number {
    return this.#now;
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    if (delayMs === this.#stallTimeoutMs) {
      this.#stalls.add(callback);
      return { cancel: () => this.#stalls.delete(callback) };
    }
    if (delayMs > 1_000) this.waits.push(delayMs);
    const due = this.#now + delayMs;
    const handle = setImmediate(() => {
      this.#now = Math.max(this.#now, due);
      callback();
    });
    return { cancel: () => clearImmediate(handle) };
  }

  /** Whether something is being waited for from a source. */
  get isListening(): boolean {
    return this.#stalls.size > 0;
  }

  stall(): void {
    for (const callback of [...this.#stalls]) callback();
  }
}

const stallTimeoutMs = 31_337;

export interface Getting {
  readonly outcome: Promise<DownloadOutcome>;
  readonly path: string;
  readonly progress: DownloadProgress[];
  readonly log: (LogFields & { message: string })[];
  readonly clock: ImpatientClock;
  abort(): void;
  /** The file as it is now. */
  read(): Buffer;
}

export interface GetOptions extends Partial<DownloadRequest>, Partial<DownloadSettings> {
  deps?: Partial<DownloadDeps>;
}

/** Starts a download into a fresh folder, or to `path`. */
export function get(url: string, { sha256, bytes }: Content, options: GetOptions = {}): Getting {
  const { headers = {}, path = join(tempDir(), "packages", "file"), deps, ...settings } = options;
  const clock = new ImpatientClock(stallTimeoutMs);
  const abort = new AbortController();
  const progress: DownloadProgress[] = [];
  const log: Getting["log"] = [];
  const note = (fields: LogFields, message: string) => void log.push({ ...fields, message });
  const logger: Logger = { debug: note, info: note, warn: note, error: note };
  const outcome = download(
    { url, headers, sha256: options.sha256 ?? sha256, path },
    {
      mirrors: [],
      maxBytes: bytes.length + 1_000_000,
      bytesPerSecond: undefined,
      stallTimeoutMs,
      ...settings,
    },
    {
      clock,
      random: () => 0,
      signal: abort.signal,
      onProgress: (report) => progress.push(report),
      logger,
      freeBytes: async () => 1e12,
      proxyFor: () => undefined,
      ...deps,
    },
  );
  onTestFinished(async () => {
    abort.abort(new Error("the test ended"));
    await outcome.catch(() => undefined);
  });
  return {
    outcome,
    path,
    progress,
    log,
    clock,
    abort: () => abort.abort(new Error("not wanted any more")),
    read: () => readFileSync(path),
  };
}

/** Puts the beginning of a file where an earlier download would have left it. */
export function leavePartial(
  bytes: Buffer,
  record: Record<string, unknown> | undefined,
  path = join(tempDir(), "file"),
): string {
  writeFileSync(path, bytes);
  if (record !== undefined) writeFileSync(`${path}.json`, JSON.stringify(record));
  return path;
}
