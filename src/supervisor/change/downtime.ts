import type { Clock } from "../../foundation/clock.ts";
import type { Logger } from "../../foundation/logger.ts";

/** How long the Collector is down at a time, told once it is healthy again. */
export class Downtime {
  readonly #clock: Clock;
  readonly #logger: Logger;
  #down: { since: number; reason: string } | undefined;

  constructor({ clock, logger }: { clock: Clock; logger: Logger }) {
    this.#clock = clock;
    this.#logger = logger;
  }

  /** It ended; the first reason of several is the one that is told. */
  began(reason: string): void {
    this.#down ??= { since: this.#clock.monotonic(), reason };
  }

  ended(): void {
    if (this.#down === undefined) return;
    const { since, reason } = this.#down;
    this.#down = undefined;
    const duration_ms = Math.round(this.#clock.monotonic() - since);
    const fields = { event: "collector_restarted", reason, duration_ms };
    this.#logger.info(fields, "the Collector is healthy again");
  }
}
