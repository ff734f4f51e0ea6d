import type { Clock } from "../../foundation/clock.ts";

/** An answer as it is given again. */
export interface KeptAnswer {
  readonly status: number;
  readonly body: string;
}

/** What is known of a key. */
export type KeyState =
  /** Not seen before, or not kept any more: the caller has it now, and has to call `finish` or `release`. */
  | { t: "taken" }
  /** A request with that key is being worked on. */
  | { t: "busy" }
  /** It came with another request. */
  | { t: "other-request" }
  | { t: "answered"; answer: KeptAnswer };

/** Which requests that change something were already answered, by the key that their client gave them. */
export interface IdempotencyStore {
  /** @param fingerprint of the request: the same key with another one is a client's mistake */
  take(key: string, fingerprint: string): Promise<KeyState>;
  finish(key: string, answer: KeptAnswer): Promise<void>;
  /** Nothing was changed: the request may be made again. */
  release(key: string): Promise<void>;
}

export interface MemoryIdempotencyOptions {
  clock: Clock;
  /** How long an answer is kept, in milliseconds. */
  keepMs: number;
  /** All kept answers together, in characters; the oldest make room. */
  maxCharacters: number;
}

interface Entry {
  readonly fingerprint: string;
  readonly at: number;
  readonly answer: KeptAnswer | undefined;
}

/** Keeps them in memory: a restart of the server forgets them. */
export class MemoryIdempotencyStore implements IdempotencyStore {
  /** Oldest first. */
  readonly #entries = new Map<string, Entry>();
  readonly #options: MemoryIdempotencyOptions;
  #characters = 0;

  constructor(options: MemoryIdempotencyOptions) {
    this.#options = options;
  }

  async take(key: string, fingerprint: string): Promise<KeyState> {
    this.#forgetOld();
    const entry = this.#entries.get(key);
    if (entry === undefined) {
      this.#entries.set(key, { fingerprint, at: this.#options.clock.monotonic(), answer: undefined });
      return { t: "taken" };
    }
    if (entry.fingerprint !== fingerprint) return { t: "other-request" };
    return entry.answer === undefined ? { t: "busy" } : { t: "answered", answer: entry.answer };
  }

  async finish(key: string, answer: KeptAnswer): Promise<void> {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.set(key, { ...entry, answer });
    this.#characters += costOf(answer);
    this.#forgetOld();
  }

  async release(key: string): Promise<void> {
    this.#entries.delete(key);
  }

  #forgetOld(): void {
    const { clock, keepMs, maxCharacters } = this.#options;
    const oldest = clock.monotonic() - keepMs;
    for (const [key, { at, answer }] of this.#entries) {
      if (at > oldest && this.#characters <= maxCharacters) return;
      if (answer === undefined) continue;
      this.#characters -= costOf(answer);
      this.#entries.delete(key);
    }
  }
}

/** What an entry takes besides its answer, so that many small ones are bounded as well. */
const entryCharacters = 500;

function costOf({ body }: KeptAnswer): number {
  return body.length + entryCharacters;
}
