import { type Clock, wait } from "../../../foundation/clock.ts";

/** A token bucket that holds what may pass in one second. Bytes that passed too early are waited for afterwards. */
export class Throttle {
  readonly #bytesPerSecond: number;
  readonly #clock: Clock;
  #tokens: number;
  #filledAt: number;

  constructor(bytesPerSecond: number, clock: Clock) {
    this.#bytesPerSecond = bytesPerSecond;
    this.#clock = clock;
    this.#tokens = bytesPerSecond;
    this.#filledAt = clock.monotonic();
  }

  /** Resolves when the next bytes may be read; rejects with the signal's reason. */
  async passed(bytes: number, signal: AbortSignal): Promise<void> {
    const now = this.#clock.monotonic();
    const gained = ((now - this.#filledAt) / 1_000) * this.#bytesPerSecond;
    this.#tokens = Math.min(this.#bytesPerSecond, this.#tokens + gained) - bytes;
    this.#filledAt = now;
    if (this.#tokens < 0) await wait(this.#clock, (-this.#tokens / this.#bytesPerSecond) * 1_000, signal);
  }
}
