/** How long to wait between attempts. Milliseconds. */
export interface BackoffOptions {
  /** Upper bound of the first wait. */
  initialMs: number;
  /** Upper bound that no wait exceeds. */
  maxMs: number;
  /** Growth of the upper bound per attempt. */
  factor: number;
  /** Share of the bound that is random, 0 to 1: 0.5 waits between half the bound and all of it. */
  jitter: number;
  /** Random source in [0, 1). */
  random?: () => number;
}

/** Exponential back-off with jitter. It never gives up; {@link reset} is the caller's to call. */
export class Backoff {
  #attempt = 0;
  readonly #options: BackoffOptions;
  readonly #random: () => number;

  constructor(options: BackoffOptions) {
    this.#options = options;
    this.#random = options.random ?? Math.random;
  }

  /** Waits taken since the last reset. */
  get attempt(): number {
    return this.#attempt;
  }

  /** The next wait in milliseconds; each call counts as an attempt. */
  next(): number {
    const { initialMs, maxMs, factor, jitter } = this.#options;
    const bound = Math.min(maxMs, initialMs * factor ** this.#attempt);
    this.#attempt += 1;
    return Math.round(bound * (1 - jitter * this.#random()));
  }

  reset(): void {
    this.#attempt = 0;
  }
}
