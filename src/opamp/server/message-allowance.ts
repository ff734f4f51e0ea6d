import type { Clock } from "../../foundation/clock.ts";

/** What one connection may send. A message costs 1, and 1 more for each so many bytes. */
const costlyBytes = 16 * 1024;
/** Seconds' worth that can be saved up: a gateway reports for all its Agents at once when it connects. */
const burstSeconds = 10;
/** How long a connection may go on sending more than is handled, before it is told to come back later. */
const patienceMs = 60_000;

/** A token bucket for the messages of one connection, so that none takes the time of all others. */
export class MessageAllowance {
  readonly #perSecond: number;
  readonly #clock: Clock;
  #tokens: number;
  #filledAt: number;
  #inDebtSince: number | undefined;

  constructor(perSecond: number, clock: Clock) {
    this.#perSecond = perSecond;
    this.#clock = clock;
    this.#tokens = perSecond * burstSeconds;
    this.#filledAt = clock.monotonic();
  }

  /** Takes what a message of so many bytes costs: how long to wait before it is handled; undefined: too much for too long. */
  take(bytes: number): number | undefined {
    const now = this.#clock.monotonic();
    const most = this.#perSecond * burstSeconds;
    this.#tokens = Math.min(most, this.#tokens + ((now - this.#filledAt) * this.#perSecond) / 1000);
    this.#filledAt = now;
    this.#tokens -= 1 + bytes / costlyBytes;
    // A flood that is slowed down hovers about 0; only who was quiet for a while has saved up something.
    if (this.#tokens >= most / 2) this.#inDebtSince = undefined;
    if (this.#tokens >= 0) return 0;
    this.#inDebtSince ??= now;
    if (now - this.#inDebtSince > patienceMs) return undefined;
    return (-this.#tokens * 1000) / this.#perSecond;
  }
}
