import type { Clock, Timer } from "../../foundation/clock.ts";
import { describeError } from "../../foundation/errors.ts";
import type { Logger } from "../../foundation/logger.ts";

export interface WriteBehindOptions {
  clock: Clock;
  log: Logger;
  /** Changes within this time are written together. */
  delayMs: number;
  /** Writes what waits, one transaction's worth of it; resolves to whether more waits. Nothing is lost when it fails. */
  writeSome: () => Promise<boolean>;
}

/** After a failure, so that a database that is away is not asked again and again. */
const retryMs = 5_000;

/** Writes soon, together, and one transaction after the other. */
export class WriteBehind {
  readonly #options: WriteBehindOptions;
  #timer: Timer | undefined;
  #writing: Promise<void> | undefined;
  #failed = false;
  #closed = false;

  constructor(options: WriteBehindOptions) {
    this.#options = options;
  }

  /** Something waits to be written. */
  wake(): void {
    if (this.#timer !== undefined || this.#writing !== undefined || this.#closed) return;
    this.#schedule(this.#options.delayMs);
  }

  /** Resolves when all that waits now is written, or could not be. */
  async flush(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    await this.#writing;
    await this.#write();
  }

  /** The same, and writes nothing more. */
  async close(): Promise<void> {
    await this.flush();
    this.#closed = true;
    this.#timer?.cancel();
  }

  #schedule(delayMs: number): void {
    this.#timer = this.#options.clock.setTimer(delayMs, () => {
      this.#timer = undefined;
      void this.#write();
    });
  }

  #write(): Promise<void> {
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = undefined;
    });
    return this.#writing;
  }

  async #writeAll(): Promise<void> {
    const { log, writeSome } = this.#options;
    try {
      while (await writeSome());
      if (this.#failed) log.info({ event: "storage_written_again" }, "the database takes writes again");
      this.#failed = false;
    } catch (error) {
      // Once, not every five seconds.
      if (!this.#failed) {
        const fields = { event: "storage_write_failed", error: describeError(error) };
        log.error(fields, "the database takes no writes: they wait in memory and are tried again");
      }
      this.#failed = true;
      if (!this.#closed) this.#schedule(retryMs);
    }
  }
}
