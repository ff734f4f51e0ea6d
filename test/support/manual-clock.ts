import type { Clock, Timer } from "../../src/foundation/clock.ts";

/** A clock that only moves when told to. Timers due at the same moment run in the order they were set. */
export class ManualClock implements Clock {
  #wall: number;
  #monotonic = 0;
  #order = 0;
  readonly #timers = new Set<{ due: number; order: number; run: () => void }>();

  constructor(wall = Date.parse("2026-01-01T00:00:00Z")) {
    this.#wall = wall;
  }

  now(): number {
    return this.#wall;
  }

  monotonic(): number {
    return this.#monotonic;
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    const timer = { due: this.#monotonic + Math.max(0, delayMs), order: this.#order, run: callback };
    this.#order += 1;
    this.#timers.add(timer);
    return { cancel: () => this.#timers.delete(timer) };
  }

  /** Delays in milliseconds until each pending timer, soonest first. */
  get pending(): number[] {
    return [...this.#timers].map((timer) => timer.due - this.#monotonic).sort((a, b) => a - b);
  }

  /** Moves both clocks and runs what falls due on the way. */
  advance(ms: number): void {
    const end = this.#monotonic + ms;
    for (;;) {
      const next = [...this.#timers]
        .filter((timer) => timer.due <= end)
        .sort((a, b) => a.due - b.due || a.order - b.order)[0];
      if (next === undefined) break;
      this.#timers.delete(next);
      this.#wall += next.due - this.#monotonic;
      this.#monotonic = next.due;
      next.run();
    }
    this.#wall += end - this.#monotonic;
    this.#monotonic = end;
  }

  /** Moves the wall clock only, as an administrator or NTP does. */
  jump(ms: number): void {
    this.#wall += ms;
  }
}
