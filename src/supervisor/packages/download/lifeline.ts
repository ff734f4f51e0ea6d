import type { Clock } from "../../../foundation/clock.ts";

/**
 * What ends one try: the caller's abort, or a source that says nothing for too long. Only time spent waiting
 * for the source counts, so that a slow disk or a bandwidth limit is no stall.
 */
export class Lifeline implements Disposable {
  readonly #clock: Clock;
  readonly #stallTimeoutMs: number;
  readonly #cut = new AbortController();
  readonly #outer: AbortSignal;
  readonly #onAbort = () => this.#cut.abort(this.#outer.reason);

  constructor(clock: Clock, stallTimeoutMs: number, outer: AbortSignal) {
    this.#clock = clock;
    this.#stallTimeoutMs = stallTimeoutMs;
    this.#outer = outer;
    if (outer.aborted) this.#onAbort();
    else outer.addEventListener("abort", this.#onAbort, { once: true });
  }

  /** Aborts with the reason the try ended for. */
  get signal(): AbortSignal {
    return this.#cut.signal;
  }

  /** The next sign of life of the source; rejects when there is none in time, even if `sign` never settles. */
  hear<T>(sign: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const { signal } = this;
      const onAbort = () => reject(signal.reason as Error);
      const timer = this.#clock.setTimer(this.#stallTimeoutMs, () =>
        this.#cut.abort(new Error(`it was silent for ${this.#stallTimeoutMs / 1_000} s`)),
      );
      if (signal.aborted) onAbort();
      else signal.addEventListener("abort", onAbort, { once: true });
      sign.then(resolve, reject).finally(() => {
        timer.cancel();
        signal.removeEventListener("abort", onAbort);
      });
      if (signal.aborted) timer.cancel();
    });
  }

  [Symbol.dispose](): void {
    this.#outer.removeEventListener("abort", this.#onAbort);
  }
}
