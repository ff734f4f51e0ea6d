import { createHash, type Hash } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, mkdir, open, readdir, readFile, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import * as z from "zod/mini";
import { syncDirectory, temporarySuffix, writeFileAtomically } from "../../storage/atomic-file.ts";
import { onDisk } from "./disk-error.ts";

const chunkBytes = 64 * 1024;

/** Which answer the newest bytes are from, and what tells whether its file is still the same (RFC 9110, 8.8). */
export interface Origin {
  /** {@link Source.key}. */
  readonly source: string;
  readonly etag?: string | undefined;
  readonly lastModified?: string | undefined;
  readonly totalBytes?: number | undefined;
}

const recordSchema = z.object({
  sha256: z.string(),
  source: z.string(),
  etag: z.optional(z.string()),
  lastModified: z.optional(z.string()),
  totalBytes: z.optional(z.number()),
});

/**
 * The file as far as it has come, and the hash of exactly those bytes. What answer they are from is on disk
 * before they are, so that after a kill -9 the length of the file can be believed.
 * @throws DiskError from every method.
 */
export class PartialFile {
  readonly path: string;
  readonly #sha256: string;
  readonly #handle: FileHandle;
  #length = 0;
  #appended = 0;
  #hash: Hash = createHash("sha256");
  #origin: Origin | undefined;

  private constructor(path: string, sha256: string, handle: FileHandle, origin: Origin | undefined) {
    this.path = path;
    this.#sha256 = sha256.toLowerCase();
    this.#handle = handle;
    this.#origin = origin;
  }

  /** Takes up what is there, unless it belongs to another file. Rejects when aborted. */
  static async open(path: string, sha256: string, signal: AbortSignal): Promise<PartialFile> {
    return onDisk(path, async () => {
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      await clearUnfinished(recordPath(path));
      const origin = await readOrigin(path, sha256);
      const flags = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW;
      const file = new PartialFile(path, sha256, await open(path, flags, 0o600), origin);
      try {
        await file.#takeUp(signal);
        return file;
      } catch (error) {
        await file.close();
        throw error;
      }
    });
  }

  get length(): number {
    return this.#length;
  }

  /** All bytes that came in since it was opened, also those that were forgotten again. */
  get appended(): number {
    return this.#appended;
  }

  /** Undefined while the file is empty. */
  get origin(): Origin | undefined {
    return this.#length === 0 ? undefined : this.#origin;
  }

  /** Of the bytes so far, in hexadecimal. */
  get sha256(): string {
    return this.#hash.copy().digest("hex");
  }

  /** Whether this is the whole file that was asked for. */
  get isRight(): boolean {
    return this.sha256 === this.#sha256;
  }

  /** Notes which answer the bytes to come are from; must be called before they are appended. */
  async continueFrom(origin: Origin): Promise<void> {
    if (this.#length > 0 && isSame(origin, this.#origin)) return;
    const record = { sha256: this.#sha256, ...origin };
    await onDisk(recordPath(this.path), () =>
      writeFileAtomically(recordPath(this.path), `${JSON.stringify(record)}\n`),
    );
    this.#origin = origin;
  }

  async append(chunk: Uint8Array): Promise<void> {
    await onDisk(this.path, async () => {
      for (let at = 0; at < chunk.length; ) {
        const { bytesWritten } = await this.#handle.write(chunk, at, chunk.length - at, this.#length + at);
        at += bytesWritten;
      }
    });
    this.#hash.update(chunk);
    this.#length += chunk.length;
    this.#appended += chunk.length;
  }

  /** Forgets every byte. */
  async startOver(): Promise<void> {
    await onDisk(this.path, () => this.#handle.truncate(0));
    this.#length = 0;
    this.#hash = createHash("sha256");
  }

  /** Makes the whole file survive a power cut. */
  async finish(): Promise<void> {
    await onDisk(this.path, async () => {
      await this.#handle.sync();
      await rm(recordPath(this.path), { force: true });
      await syncDirectory(dirname(this.path));
    });
  }

  async remove(): Promise<void> {
    await onDisk(this.path, async () => {
      await rm(this.path, { force: true });
      await rm(recordPath(this.path), { force: true });
    });
  }

  async close(): Promise<void> {
    // What counts was synced before; a failure here says nothing.
    await this.#handle.close().catch(() => undefined);
  }

  /** A file without a record may be the finished one; anything else without one is nobody's. */
  async #takeUp(signal: AbortSignal): Promise<void> {
    const buffer = Buffer.allocUnsafe(chunkBytes);
    for (;;) {
      signal.throwIfAborted();
      const { bytesRead } = await this.#handle.read(buffer, 0, buffer.length, this.#length);
      if (bytesRead === 0) break;
      this.#hash.update(buffer.subarray(0, bytesRead));
      this.#length += bytesRead;
    }
    if (this.#origin === undefined && !this.isRight) await this.startOver();
  }
}

function recordPath(path: string): string {
  return `${path}.json`;
}

async function readOrigin(path: string, sha256: string): Promise<Origin | undefined> {
  let text: string;
  try {
    text = await readFile(recordPath(path), "utf8");
  } catch {
    return undefined;
  }
  const record = z.safeParse(recordSchema, parseJson(text)).data;
  return record?.sha256 === sha256.toLowerCase() ? record : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isSame(a: Origin, b: Origin | undefined): boolean {
  return (
    b !== undefined &&
    a.source === b.source &&
    a.etag === b.etag &&
    a.lastModified === b.lastModified &&
    a.totalBytes === b.totalBytes
  );
}

/** What a kill -9 left of writing a record. */
async function clearUnfinished(record: string): Promise<void> {
  const directory = dirname(record);
  for (const name of await readdir(directory)) {
    if (name.startsWith(`${basename(record)}.`) && name.endsWith(temporarySuffix)) {
      await rm(join(directory, name), { force: true });
    }
  }
}
