import type { Clock, Timer } from "../../foundation/clock.ts";
import { describeError } from "../../foundation/errors.ts";
import type { Logger } from "../../foundation/logger.ts";
import { expiryOf } from "../connection/certificate/issued.ts";
import type { MakeSessionSettings } from "../connection/session-settings.ts";
import type { Upstream } from "../connection/upstream.ts";
import type { ConnectionBook } from "./connection-book.ts";
import type { Road } from "./road.ts";

/** How often kept settings are tried again while those of supervisor.yaml stand in; a part of it is random. */
const retryMs = 5 * 60_000;

interface FallbackDeps {
  book: ConnectionBook;
  upstream: Upstream;
  road: Road;
  clock: Clock;
  logger: Logger;
  random: () => number;
  makeSettings: MakeSessionSettings;
  /** `server.fallback_after`; 0: never. */
  fallbackAfterMs: number;
}

/**
 * Kept settings whose server is not to be reached for long make room for those of supervisor.yaml, and are tried
 * again beside them from time to time: a server that sends its agents away must not lose them for good.
 */
export class ConnectionFallback {
  readonly #deps: FallbackDeps;
  #timer: Timer | undefined;

  constructor(deps: FallbackDeps) {
    this.#deps = deps;
  }

  /** Counts the time without a server; call it whenever the connection in use changes. */
  presenceChanged(): void {
    const { upstream, book } = this.#deps;
    if (book.fallenBack) return;
    if (book.kept === null || upstream.presence.connected) {
      this.stop();
      return;
    }
    const expired = this.#hasExpired();
    if (this.#deps.fallbackAfterMs === 0 && !expired) return;
    if (expired) this.stop();
    // A certificate that has expired will not do in an hour either.
    const waitMs = expired ? 0 : this.#deps.fallbackAfterMs;
    this.#timer ??= this.#after(waitMs, () => this.#fallBack());
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #after(ms: number, task: () => Promise<void>): Timer {
    return this.#deps.clock.setTimer(ms, () => {
      this.#timer = undefined;
      this.#deps.road.urgent(task);
    });
  }

  #hasExpired(): boolean {
    const pem = this.#deps.book.kept?.overrides.certificate?.cert;
    return pem !== undefined && expiryOf(pem) <= this.#deps.clock.now();
  }

  async #fallBack(): Promise<void> {
    const { book, upstream, makeSettings, logger, fallbackAfterMs } = this.#deps;
    const { connected, lastError } = upstream.presence;
    if (book.kept === null || book.fallenBack || connected) return;
    const why = this.#hasExpired()
      ? "its certificate has expired"
      : `its server was not reached for ${Math.round(fallbackAfterMs / 1_000)} s`;
    const because = lastError === undefined ? "" : ` (${lastError})`;
    const fields = { event: "connection_fallback", reason: why, error: lastError };
    logger.error(fields, "the kept connection settings do not work; those of supervisor.yaml are used");
    await book.fallBack(`the settings of supervisor.yaml are used: ${why}${because}`);
    await upstream.use(makeSettings(book.inUse));
    this.#tryAgainLater();
  }

  #tryAgainLater(): void {
    this.#timer?.cancel();
    if (this.#hasExpired()) return;
    this.#timer = this.#after(retryMs * (0.8 + 0.4 * this.#deps.random()), () => this.#tryAgain());
  }

  async #tryAgain(): Promise<void> {
    const { book, upstream, makeSettings, logger } = this.#deps;
    if (book.kept === null || !book.fallenBack) return;
    try {
      await upstream.reach(makeSettings(book.kept.overrides));
      await upstream.proveTrial();
    } catch (error) {
      await upstream.giveUpTrial();
      const fields = { event: "connection_retry_failed", error: describeError(error) };
      logger.info(fields, "the kept connection settings still do not work");
      this.#tryAgainLater();
      return;
    }
    await book.restore();
    await upstream.adoptTrial();
    logger.info({ event: "connection_restored" }, "the kept connection settings work again and are used");
  }
}
