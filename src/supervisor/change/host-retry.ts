import { Backoff } from "../../foundation/backoff.ts";
import type { Clock, Timer } from "../../foundation/clock.ts";

export interface HostRetryOptions {
  clock: Clock;
  random?: () => number;
}

/** When what failed for a fault of this host is tried again: after half a minute, then ever later, up to ten minutes. */
export class HostRetry {
  readonly #clock: Clock;
  readonly #backoff: Backoff;
  #timer: Timer | undefined;

  constructor({ clock, random }: HostRetryOptions) {
    this.#clock = clock;
    const waits = { initialMs: 30_000, maxMs: 600_000, factor: 2, jitter: 0.3 };
    this.#backoff = new Backoff({ ...waits, ...(random && { random }) });
  }

  /** Replaces a try that still waits. */
  later(again: () => void): void {
    this.cancel();
    this.#timer = this.#clock.setTimer(this.#backoff.next(), again);
  }

  cancel(): void {
    this.#timer?.cancel();
  }

  /** It worked: the next failure is the first one again. */
  worked(): void {
    this.cancel();
    this.#backoff.reset();
  }
}
