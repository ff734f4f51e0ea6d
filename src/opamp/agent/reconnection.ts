import { Backoff } from "../../foundation/backoff.ts";
import type { Clock, Timer } from "../../foundation/clock.ts";
import type { LinkFailure } from "./link.ts";
import { maxRetryAfterMs } from "./retry-after.ts";

/** How long an answered link must last before the next failure counts as the first one. */
const healthyAfterMs = 5_000;

/** Share of a pause the server asked for that is added at random, so that a fleet does not return as one. */
const throttleJitter = 0.1;

/**
 * When to try again. It never gives up. A server that accepts and closes at once is met with back-off like
 * one that does not answer: only a link that was answered and then lasted resets it (AW8, AW9, P1).
 */
export class Reconnection {
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #backoff: Backoff;
  #healthy = false;
  #timer: Timer | undefined;

  constructor(clock: Clock, random: () => number) {
    this.#clock = clock;
    this.#random = random;
    // Half of each bound is random: the first wait is 1 to 2 s, the longest 15 to 30 s.
    this.#backoff = new Backoff({ initialMs: 2_000, maxMs: 30_000, factor: 2, jitter: 0.5, random });
  }

  /** The server answered a message on the current link, without an error. */
  answered(): void {
    if (this.#healthy || this.#timer !== undefined) return;
    this.#timer = this.#clock.setTimer(healthyAfterMs, () => {
      this.#healthy = true;
      this.#backoff.reset();
    });
  }

  /** The current link ended; returns the milliseconds to wait before the next one. */
  failed(failure: LinkFailure): number {
    const wasHealthy = this.#healthy;
    this.linkEnded();
    if (failure.pace === "at-once" && wasHealthy) return 0;
    const wait = this.#backoff.next();
    if (failure.retryAfterMs === undefined) return wait;
    const asked = Math.min(failure.retryAfterMs, maxRetryAfterMs);
    return Math.ceil(Math.max(wait, asked * (1 + throttleJitter * this.#random())));
  }

  linkEnded(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#healthy = false;
  }
}
