import { open, stat } from "node:fs/promises";
import { type Clock, systemClock, type Timer } from "../../foundation/clock.ts";
import { isMissing } from "../../foundation/errors.ts";
import { utf8Boundary } from "./agent-log-text.ts";

/** A line longer than this is handed on in pieces, so that no output can fill the memory. */
const maxLineBytes = 65_536;
const readBytes = 65_536;
const defaultPollMs = 250;

export interface FollowOptions {
  path: string;
  /** Where in the file to begin, in bytes. */
  from: number;
  /** Gets each line without its end. Must not throw. */
  onLine: (line: string) => void;
  /** Where somebody else's rotation copies the file to before it is truncated: the rest is read from there. */
  copiedTo?: string;
  clock?: Clock;
  /** Between two looks at the size. Default 250. */
  pollMs?: number | undefined;
}

/**
 * Reads a growing file line by line and starts again at its beginning when it was truncated. It looks at
 * the size from time to time: a watch would wake up for every line instead.
 */
export class LogFollower {
  readonly #path: string;
  readonly #onLine: (line: string) => void;
  readonly #clock: Clock;
  readonly #pollMs: number;
  readonly #copiedTo: string | undefined;
  #offset: number;
  #partial = Buffer.alloc(0);
  #timer: Timer | undefined;
  #closed = false;
  #busy: Promise<void> = Promise.resolve();

  constructor({ path, from, onLine, copiedTo, clock = systemClock, pollMs = defaultPollMs }: FollowOptions) {
    this.#path = path;
    this.#copiedTo = copiedTo;
    this.#offset = from;
    this.#onLine = onLine;
    this.#clock = clock;
    this.#pollMs = pollMs;
    this.#schedule();
  }

  /** Hands on what is in the file now. A file that cannot be read is tried again at the next look. */
  drain(): Promise<void> {
    const read = () => this.#readToEnd().catch(() => undefined);
    this.#busy = this.#busy.then(read);
    return this.#busy;
  }

  /** The file was just truncated: what it holds now is new, however much it is. */
  truncated(): void {
    this.#offset = 0;
  }

  /** Hands on what is left, an unfinished last line too, and ends. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#timer?.cancel();
    await this.drain();
    if (this.#partial.length > 0) this.#onLine(this.#partial.toString());
    this.#partial = Buffer.alloc(0);
  }

  #schedule(): void {
    this.#timer = this.#clock.setTimer(this.#pollMs, () => {
      void this.drain().then(() => {
        if (!this.#closed) this.#schedule();
      });
    });
  }

  async #readToEnd(): Promise<void> {
    const size = await sizeOf(this.#path);
    if (size < this.#offset) {
      // Unless it was rotated more than once since the last look, the copy goes on where that look ended.
      if (this.#copiedTo !== undefined && (await sizeOf(this.#copiedTo)) > this.#offset)
        await this.#readFrom(this.#copiedTo);
      this.#offset = 0;
    }
    if (size > this.#offset) await this.#readFrom(this.#path);
  }

  async #readFrom(path: string): Promise<void> {
    const file = await open(path, "r");
    try {
      const buffer = Buffer.alloc(readBytes);
      for (;;) {
        const { bytesRead } = await file.read(buffer, 0, buffer.length, this.#offset);
        if (bytesRead === 0) return;
        this.#offset += bytesRead;
        this.#take(buffer.subarray(0, bytesRead));
      }
    } finally {
      await file.close();
    }
  }

  #take(chunk: Buffer): void {
    let rest = Buffer.concat([this.#partial, chunk]);
    for (;;) {
      const end = rest.indexOf(0x0a);
      const length = end === -1 ? rest.length : end;
      if (length > maxLineBytes) {
        const cut = utf8Boundary(rest, maxLineBytes);
        this.#onLine(rest.toString("utf8", 0, cut));
        rest = rest.subarray(cut);
      } else if (end === -1) {
        this.#partial = Buffer.from(rest);
        return;
      } else {
        this.#onLine(rest.toString("utf8", 0, end).replace(/\r$/, ""));
        rest = rest.subarray(end + 1);
      }
    }
  }
}

/** Size in bytes; a missing file is an empty one. */
export async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (isMissing(error)) return 0;
    throw error;
  }
}
