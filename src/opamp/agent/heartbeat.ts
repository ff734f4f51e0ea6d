import type { Clock, Timer } from "../../foundation/clock.ts";
import { AgentCapability, hasBits } from "../bits.ts";
import { defaultHeartbeatIntervalMs } from "../limits.ts";
import type { ServerToAgent } from "../messages.ts";

/** Longest interval that is taken from an offer: a server must not make itself blind for longer. Milliseconds. */
const maxOfferedMs = 24 * 60 * 60_000;

/** Calls `beat` when nothing was sent for one interval (AW11, AN10). */
export class Heartbeat {
  readonly #clock: Clock;
  readonly #beat: () => void;
  readonly #polls: boolean;
  #intervalMs: number;
  #offered = false;
  #running = false;
  #timer: Timer | undefined;

  /** An interval of 0 means no beats. With `polls` the server could never speak then, so it means the default (D1). */
  constructor(clock: Clock, { intervalMs, polls }: { intervalMs: number; polls: boolean }, beat: () => void) {
    this.#clock = clock;
    this.#polls = polls;
    this.#intervalMs = this.#usable(intervalMs);
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
    const usable = this.#usable(intervalMs);
    if (usable === this.#intervalMs) return;
    this.#intervalMs = usable;
    if (this.#running) this.restart();
  }

  /**
   * Takes the interval out of an offer of connection settings, also where the rest of the offer is not
   * accepted (AN9). Unset cannot be told from 0, so 0 switches off only what an offer has switched on (P6).
   */
  negotiate({ connectionSettings }: ServerToAgent, capabilities: bigint): void {
    const seconds = connectionSettings?.opamp?.heartbeatIntervalSeconds;
    if (seconds === undefined || !hasBits(capabilities, AgentCapability.ReportsHeartbeat)) return;
    if (seconds === 0n && !this.#offered) return;
    this.#offered = seconds > 0n;
    this.setInterval(Math.min(Number(seconds) * 1_000, maxOfferedMs));
  }

  stop(): void {
    this.#running = false;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #usable(intervalMs: number): number {
    return this.#polls && intervalMs <= 0 ? defaultHeartbeatIntervalMs : intervalMs;
  }
}
