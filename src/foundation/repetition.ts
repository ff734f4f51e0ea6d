import type { Clock } from "./clock.ts";

/** How often something that goes on happening is told, at least. Milliseconds. */
const remindAfterMs = 3_600_000;
/** So many different ones are told apart; a text that is never the same must not fill a disk. */
const maxKinds = 8;

/**
 * Which occurrences of something that goes on for days are worth a line: the 1st, 2nd, 4th, 8th and so on of each
 * kind, and one an hour. However long it lasts, an hour has a bounded number of lines.
 */
export class Repetition {
  readonly #clock: Clock;
  readonly #kinds = new Map<string, { count: number; toldAt: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Another one; how many of its kind there were, where that is to be told. */
  next(kind: string): number | undefined {
    const known = this.#kinds.has(kind) || this.#kinds.size < maxKinds ? kind : "";
    const now = this.#clock.monotonic();
    const former = this.#kinds.get(known) ?? { count: 0, toldAt: now };
    const count = former.count + 1;
    const isTold = (count & (count - 1)) === 0 || now - former.toldAt >= remindAfterMs;
    this.#kinds.set(known, { count, toldAt: isTold ? now : former.toldAt });
    return isTold ? count : undefined;
  }

  /** It is over. */
  reset(): void {
    this.#kinds.clear();
  }
}
