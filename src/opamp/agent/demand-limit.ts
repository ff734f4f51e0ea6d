import type { Clock, Timer } from "../../foundation/clock.ts";

const burst = 5;
const windowMs = 30_000;

/**
 * Keeps a server that asks for the full state in every answer from turning it into a message loop: the
 * first demands are met at once, more of them only as time passes.
 */
export class DemandLimit {
  readonly #clock: Clock;
  readonly #onAllowed: () => void;
  #met: number[] = [];
  #raised = false;
  #timer: Timer | undefined;

  /** `onAllowed` is called when a demand that had to wait may be met. */
  constructor(clock: Clock, onAllowed: () => void) {
    this.#clock = clock;
    this.#onAllowed = onAllowed;
  }

  /** The server made the next message due. */
  raise(): void {
    this.#raised = true;
  }

  /** The demand is void, as on a new connection. */
  drop(): void {
    this.#raised = false;
    this.#timer?.cancel();
  }

  /** Whether what is due may be sent now; a demand counts as met then. */
  allows(): boolean {
    if (!this.#raised) return true;
    const now = this.#clock.monotonic();
    this.#met = this.#met.filter((at) => now - at < windowMs);
    const [oldest] = this.#met;
    if (oldest !== undefined && this.#met.length >= burst) {
      this.#timer?.cancel();
      this.#timer = this.#clock.setTimer(oldest + windowMs - now, this.#onAllowed);
      return false;
    }
    this.#met.push(now);
    this.drop();
    return true;
  }
}
