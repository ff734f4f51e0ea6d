import { dirname } from "node:path";
import { DiskError, onDisk } from "./disk-error.ts";

/** What a download leaves free for everything else on the host. */
const reserveBytes = 64 * 1024 * 1024;
const checkEveryBytes = 16 * 1024 * 1024;

/** Keeps a download from filling the disk, also one that does not say how long it is. */
export class Space {
  readonly #directory: string;
  readonly #freeBytes: (directory: string) => Promise<number>;
  #unchecked = 0;

  constructor(path: string, freeBytes: (directory: string) => Promise<number>) {
    this.#directory = dirname(path);
    this.#freeBytes = freeBytes;
  }

  /** @throws DiskError with both numbers when `bytes` more and the reserve do not fit. */
  async demand(bytes: number): Promise<void> {
    const free = await onDisk(this.#directory, () => this.#freeBytes(this.#directory));
    const needed = bytes + reserveBytes;
    if (free >= needed) return;
    const message = `not enough space in ${this.#directory}: ${needed} bytes are needed (${bytes} for the file, the rest stays free), ${free} are free`;
    throw new DiskError(message, { full: true });
  }

  /** Looks again once in a while: others write to the disk as well. */
  async taken(bytes: number): Promise<void> {
    this.#unchecked += bytes;
    if (this.#unchecked < checkEveryBytes) return;
    this.#unchecked = 0;
    await this.demand(0);
  }
}
