import type { Clock, Timer } from "../../foundation/clock.ts";

/** Calls `beat` when nothing was sent for one interval (AW11, AN10). */
export class Heartbeat {
  readonly #clock: Clock;
  readonly #beat: () => void;
  #intervalMs: number;
  #running = false;
  #timer: Timer | undefined;

  /** An interval of 0 means no beats. */
  constructor(clock: Clock, intervalMs: number, beat: () => void) {
    this.#clock = clock;
    this.#intervalMs = intervalMs;
    this.#beat = beat;
  }

  /** A message was sent: the interval starts again. */
  restart(): void {
    this.#running = true;
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#intervalMs <= 0) return;
    this.#timer = this.#clock.setTimer(this.#intervalMs, () => {
      this.restart();
      this.#beat();
    });
  }

  setInterval(intervalMs: number): void {
    if (intervalMs === this.#intervalMs) return;
    this.#intervalMs = intervalMs;
    if (this.#running) this.restart();
  }

  stop(): void {
    this.#running = false;
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}
