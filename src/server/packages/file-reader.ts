import { createHash } from "node:crypto";
import { type BigIntStats, constants, promises as fs } from "node:fs";
import type { Clock } from "../../foundation/clock.ts";

/** A file is taken once it was left alone for so long: until then it may still be copied. */
export const settleMs = 5_000;

/** No link is followed, and a FIFO that took the file's place does not block. */
export const openFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** Hashed at a time: a quarter of a megabyte keeps the event loop for less than a millisecond. */
const chunkBytes = 256 * 1024;

/** A detached signature is some hundred bytes. */
const maxSignatureBytes = 16 * 1024;

/** A file that is written to while it is looked at; a later look may find it complete. */
export class UnsettledFileError extends Error {
  override readonly name = "UnsettledFileError";
}

/** What was read of a file, and by what it is known again. */
export interface FileDigest {
  readonly identity: string;
  /** Bytes. */
  readonly size: number;
  readonly modified: Date;
  /** Hexadecimal. */
  readonly sha256: string;
}

export interface ReadOptions {
  /** Take a file that was changed a moment ago: someone says that it is complete. */
  trustFresh: boolean;
  signal: AbortSignal;
}

/** Equal as long as nobody wrote to the file or put another in its place. */
export function identityOf({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return [dev, ino, size, mtimeNs, ctimeNs].join(":");
}

/** Reads files of the packages folder, each of them only when it is new or has changed. */
export class FileReader {
  readonly #clock: Clock;
  readonly #digests = new Map<string, FileDigest>();
  readonly #signatures = new Map<string, { identity: string; bytes: Uint8Array }>();
  /** Since when, on the monotonic clock, a file is what it is. */
  readonly #seen = new Map<string, { identity: string; since: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @throws UnsettledFileError, or a system error, or what aborted. */
  async digest(path: string, { trustFresh, signal }: ReadOptions): Promise<FileDigest> {
    await using file = await fs.open(path, openFlags);
    const stats = await file.stat({ bigint: true });
    const identity = identityOf(stats);
    const known = this.#digests.get(path);
    if (known?.identity === identity) return known;
    if (!trustFresh) this.#checkSettled(path, stats, identity);
    const sha256 = await hashFile(file, signal);
    if (identityOf(await file.stat({ bigint: true })) !== identity) {
      throw new UnsettledFileError("was written to while it was read");
    }
    const size = Number(stats.size);
    const digest = { identity, size, modified: stats.mtime, sha256 };
    this.#digests.set(path, digest);
    return digest;
  }

  /** The bytes of a detached signature, which may be kept as base64. @throws as {@link digest} does. */
  async signature(path: string, { trustFresh }: Pick<ReadOptions, "trustFresh">): Promise<Uint8Array> {
    await using file = await fs.open(path, openFlags);
    const stats = await file.stat({ bigint: true });
    const identity = identityOf(stats);
    const known = this.#signatures.get(path);
    if (known?.identity === identity) return known.bytes;
    if (!trustFresh) this.#checkSettled(path, stats, identity);
    if (stats.size === 0n || stats.size > maxSignatureBytes) {
      throw new Error(`expected a detached signature of 1 to ${maxSignatureBytes} bytes, got ${stats.size}`);
    }
    const bytes = decodeSignature(await file.readFile());
    this.#signatures.set(path, { identity, bytes });
    return bytes;
  }

  /** Drops what is known of files that are gone. */
  keepOnly(paths: ReadonlySet<string>): void {
    for (const known of [this.#digests, this.#signatures, this.#seen]) {
      for (const path of known.keys()) if (!paths.has(path)) known.delete(path);
    }
  }

  /** By its times, or by having watched it where its times are of another clock. */
  #checkSettled(path: string, { mtimeMs, ctimeMs }: BigIntStats, identity: string): void {
    const now = this.#clock.monotonic();
    const seen = this.#seen.get(path);
    const since = seen?.identity === identity ? seen.since : now;
    this.#seen.set(path, { identity, since });
    const changed = Math.max(Number(mtimeMs), Number(ctimeMs));
    if (now - since >= settleMs || this.#clock.now() - changed >= settleMs) return;
    throw new UnsettledFileError(
      `was changed a moment ago: is taken once left alone for ${settleMs / 1000} s`,
    );
  }
}

async function hashFile(file: fs.FileHandle, signal: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  const buffer = Buffer.allocUnsafe(chunkBytes);
  for (;;) {
    signal.throwIfAborted();
    const { bytesRead } = await file.read(buffer, 0, chunkBytes);
    if (bytesRead === 0) return hash.digest("hex");
    hash.update(buffer.subarray(0, bytesRead));
  }
}

function decodeSignature(content: Buffer): Uint8Array {
  const text = content.toString("latin1").replaceAll(/[\r\n]/g, "");
  const isBase64 = text.length % 4 === 0 && /^[A-Za-z0-9+/]+={0,2}$/.test(text);
  return new Uint8Array(isBase64 ? Buffer.from(text, "base64") : content);
}
