import { createHash } from "node:crypto";
import { once } from "node:events";
import { createReadStream, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { pipeline } from "node:stream/promises";
import { create } from "@bufbuild/protobuf";
import { onTestFinished } from "vitest";
import { type PackagesAvailable, PackagesAvailableSchema, PackageType } from "../../src/opamp/messages.ts";

/** One package as a server offers it. */
export interface PackageSpec {
  /** File that is served. */
  file: string;
  version: string;
  type?: "top-level" | "addon";
  signature?: Uint8Array;
  /** Instead of the true one. */
  contentHash?: Uint8Array;
  headers?: Record<string, string>;
}

/** What was asked of a {@link PackageServer}. */
export interface PackageRequest {
  path: string;
  headers: IncomingHttpHeaders;
  /** Of the body, as far as it was sent. */
  sentBytes: number;
}

/** Serves files with Range and If-Range, as a good download server does, and counts what it sends. */
export class PackageServer {
  readonly requests: PackageRequest[] = [];
  /** Answers a request in place of the server, if it gives true. */
  intercept: (path: string, response: ServerResponse) => boolean = () => false;
  /** No answer goes beyond this byte of its file; the connection stays open until {@link goOn}. */
  stopAt: number | undefined;
  #stopped = Promise.withResolvers<void>();
  readonly #files = new Map<string, string>();
  #port = 0;

  static async start(): Promise<PackageServer> {
    const server = new PackageServer();
    const http = createServer((request, response) => {
      const path = request.url ?? "";
      const record: PackageRequest = { path, headers: request.headers, sentBytes: 0 };
      server.requests.push(record);
      const file = server.#files.get(path);
      if (server.intercept(path, response)) return;
      if (file === undefined) response.writeHead(404).end();
      else void server.#serve(file, record, response);
    });
    http.listen(0, "127.0.0.1");
    await once(http, "listening");
    server.#port = (http.address() as AddressInfo).port;
    onTestFinished(async () => {
      http.close();
      http.closeAllConnections();
    });
    return server;
  }

  /** Goes on with every answer that stopped. */
  goOn(): void {
    this.#stopped.resolve();
    this.#stopped = Promise.withResolvers();
  }

  get sentBytes(): number {
    return this.requests.reduce((sum, { sentBytes }) => sum + sentBytes, 0);
  }

  async #serve(file: string, record: PackageRequest, response: ServerResponse): Promise<void> {
    const { size, mtimeMs, ino } = statSync(file);
    const etag = `"${ino}-${size}-${mtimeMs}"`;
    const { range, "if-range": ifRange } = record.headers;
    const from = Number(/^bytes=(\d+)-$/.exec(range ?? "")?.[1] ?? 0);
    const isPart = from > 0 && from < size && (ifRange === undefined || ifRange === etag);
    const start = isPart ? from : 0;
    response.writeHead(isPart ? 206 : 200, {
      etag,
      "accept-ranges": "bytes",
      "content-length": size - start,
      ...(isPart && { "content-range": `bytes ${start}-${size - 1}/${size}` }),
    });
    const body = content(file, [start, this.stopAt], this.#stopped.promise);
    // A connection that is broken off is no failure of this server.
    await pipeline(counted(body, record), response).catch(() => undefined);
  }

  /** An offer of these packages by name, all of them served here. */
  async offer(packages: Record<string, PackageSpec>): Promise<PackagesAvailable> {
    const entries = await Promise.all(
      Object.entries(packages).map(async ([name, spec]) => {
        const { file, version, type = "top-level", signature = new Uint8Array(), headers = {} } = spec;
        const digest = sha256(await readFile(file));
        const path = `/${name || "top"}/${version}/${file.split("/").at(-1)}`;
        this.#files.set(path, file);
        const available = {
          type: type === "addon" ? PackageType.PackageType_Addon : PackageType.PackageType_TopLevel,
          version,
          hash: sha256(Buffer.from(JSON.stringify([type, version, digest.toString("hex")]))),
          file: {
            downloadUrl: `http://127.0.0.1:${this.#port}${path}`,
            contentHash: spec.contentHash ?? digest,
            signature,
            headers: { headers: Object.entries(headers).map(([key, value]) => ({ key, value })) },
          },
        };
        return [name, available] as const;
      }),
    );
    const allPackagesHash = sha256(
      Buffer.from(JSON.stringify(entries.map(([name, { hash }]) => [name, hash]))),
    );
    return create(PackagesAvailableSchema, { packages: Object.fromEntries(entries), allPackagesHash });
  }
}

async function* content(
  file: string,
  [start, stopAt]: [number, number | undefined],
  goOn: Promise<void>,
): AsyncGenerator<Buffer> {
  if (stopAt === undefined) {
    yield* createReadStream(file, { start }) as AsyncIterable<Buffer>;
    return;
  }
  if (stopAt > start) yield* createReadStream(file, { start, end: stopAt - 1 }) as AsyncIterable<Buffer>;
  await goOn;
  yield* createReadStream(file, { start: Math.max(start, stopAt) }) as AsyncIterable<Buffer>;
}

async function* counted(body: AsyncIterable<Buffer>, record: PackageRequest): AsyncGenerator<Buffer> {
  for await (const chunk of body) {
    record.sentBytes += chunk.length;
    yield chunk;
  }
}

function sha256(data: Uint8Array): Buffer<ArrayBuffer> {
  return Buffer.from(createHash("sha256").update(data).digest());
}
