import { createHash, timingSafeEqual } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Clock } from "../../foundation/clock.ts";
import { describeError } from "../../foundation/errors.ts";
import type { Logger } from "../../foundation/logger.ts";
import { refuse } from "../../opamp/server/refuse.ts";
import { type ByteRange, parseByteRange } from "./byte-range.ts";
import type { PackageCatalogue } from "./catalogue.ts";
import type { PackageFile } from "./package-file.ts";
import { evaluatePreconditions, rangeApplies } from "./preconditions.ts";
import { openPackageFile, type TransferPart, transfer } from "./transfer.ts";

/** Where the packages folder is served on the OpAMP listener. */
export const downloadPath = "/v1/packages";

const retryAfter = { "retry-after": "10" };

/** What is left of a refused request's body is read away for so long. */
const closeTimeoutMs = 3_000;

export interface DownloadsOptions {
  catalogue: PackageCatalogue;
  /** What a request has to carry; empty: anyone who reaches the listener may download. */
  requiredHeaders: Readonly<Record<string, readonly string[]>>;
  /** More at a time get 503. */
  maxDownloads: number;
  clock: Clock;
  log: Logger;
}

/** Serves the files of the catalogue, and nothing else, in parts where a client asks for them (AP8, SP5). */
export class PackageDownloads {
  readonly #options: DownloadsOptions;
  readonly #underWay = new Set<Promise<void>>();

  constructor(options: DownloadsOptions) {
    this.#options = options;
  }

  /** Whether a request is for a package; others are OpAMP's. */
  handles({ url }: IncomingMessage): boolean {
    return url?.startsWith(`${downloadPath}/`) ?? false;
  }

  /** For the server's `request` event. */
  handleRequest(request: IncomingMessage, response: ServerResponse): void {
    response.on("error", () => request.destroy());
    const work = this.#serve(request, response).catch((error: unknown) => {
      this.#options.log.error(
        { event: "package_download_failed", path: request.url, error: describeError(error) },
        "serving a package failed",
      );
      response.destroy();
    });
    this.#underWay.add(work);
    void work.then(() => this.#underWay.delete(work));
  }

  /** Resolves when every file is closed; the connections have to be closed first. */
  async idle(): Promise<void> {
    await Promise.all(this.#underWay);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { catalogue, clock, maxDownloads, requiredHeaders } = this.#options;
    const deny = (status: number, message: string, headers: Record<string, string> = {}) =>
      refuse(request, response, status, message, { clock, closeTimeoutMs }, headers);
    if (request.method !== "GET" && request.method !== "HEAD") {
      return deny(405, "packages are downloaded with GET", { allow: "GET, HEAD" });
    }
    if (!carries(request, requiredHeaders)) return deny(403, "the headers of the offer are missing");
    const file = findFile(catalogue, request.url ?? "");
    if (file === undefined) return deny(404, "no such package file");
    const headers = headersOf(file);
    const verdict = evaluatePreconditions(request.headers, { etag: headers.etag, modified: file.modified });
    if (verdict === "failed") return deny(412, "the file is another one than the request is for", headers);
    if (verdict === "not-modified") {
      response.writeHead(304, headers).end();
      return;
    }
    if (this.#underWay.size >= maxDownloads) {
      return deny(503, "the server has all the downloads it takes", retryAfter);
    }
    const range = rangeOf(request, file, headers.etag);
    if (range.t === "unsatisfiable") {
      return deny(416, "the range begins behind the end of the file", {
        ...headers,
        "content-range": `bytes */${file.size}`,
      });
    }
    const handle = await openPackageFile(file);
    if (handle === undefined) {
      catalogue.refresh();
      return deny(503, "the file has changed since it was read: try again", retryAfter);
    }
    await using _ = handle;
    const part = range.t === "part" ? range : { first: 0, last: file.size - 1 };
    response.writeHead(range.t === "part" ? 206 : 200, {
      ...headers,
      "content-type": "application/octet-stream",
      "content-length": part.last - part.first + 1,
      ...(range.t === "part" ? { "content-range": `bytes ${part.first}-${part.last}/${file.size}` } : {}),
    });
    if (request.method === "HEAD") response.end();
    else await this.#send(handle, request, response, { file, part });
  }

  async #send(
    handle: FileHandle,
    request: IncomingMessage,
    response: ServerResponse,
    { file, part }: { file: PackageFile; part: TransferPart },
  ): Promise<void> {
    const { clock, log } = this.#options;
    const fields = {
      package: file.name,
      version: file.version,
      remote_addr: request.socket.remoteAddress,
      first_byte: part.first,
      last_byte: part.last,
    };
    try {
      await transfer(handle, response, part, clock);
      log.info({ event: "package_downloaded", ...fields }, "package downloaded");
    } catch (error) {
      const reason = describeError(error);
      log.info({ event: "package_download_ended", ...fields, reason }, "a download ended early");
    }
  }
}

/** Only what the catalogue knows by these very names; the path is never joined to a folder. */
function findFile(catalogue: PackageCatalogue, url: string): PackageFile | undefined {
  const [path = ""] = url.split("?", 1);
  const segments = path.slice(downloadPath.length + 1).split("/");
  const [name, version, fileName, ...more] = segments.map(decodeSegment);
  if (name === undefined || version === undefined || fileName === undefined || more.length > 0) {
    return undefined;
  }
  const file = catalogue.find(name, version);
  return file?.fileName === fileName ? file : undefined;
}

function decodeSegment(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}

function headersOf(file: PackageFile) {
  return {
    etag: `"${file.sha256}"`,
    "last-modified": file.modified.toUTCString(),
    "accept-ranges": "bytes",
    // A proxy that packs it would change what the hash is of, and the meaning of ranges.
    "cache-control": "no-transform",
    "x-content-type-options": "nosniff",
  };
}

/** `Range` means something with GET only. */
function rangeOf({ method, headers }: IncomingMessage, file: PackageFile, etag: string): ByteRange {
  const { "if-range": ifRange, range } = headers;
  const counts = method === "GET" && rangeApplies(firstOf(ifRange), { etag, modified: file.modified });
  return parseByteRange(counts ? range : undefined, file.size);
}

function firstOf(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header;
}

function carries(
  { headers }: IncomingMessage,
  required: Readonly<Record<string, readonly string[]>>,
): boolean {
  return Object.entries(required).every(([name, values]) => {
    const given = headers[name.toLowerCase()];
    return isSame(Array.isArray(given) ? given.join(", ") : (given ?? ""), values.join(", "));
  });
}

/** Takes the same time wherever the texts differ. */
function isSame(a: string, b: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
