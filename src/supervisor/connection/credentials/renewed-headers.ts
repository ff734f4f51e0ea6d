import { Backoff } from "../../../foundation/backoff.ts";
import type { Clock, Timer } from "../../../foundation/clock.ts";
import { describeError } from "../../../foundation/errors.ts";
import type { Logger } from "../../../foundation/logger.ts";
import type { FetchedHeaders, HeaderSource } from "./header-source.ts";

interface RenewedHeadersDeps {
  clock: Clock;
  logger: Logger;
  /** The source has begun, or ceased, to fail. */
  changed: () => void;
  random?: () => number;
}

interface Held {
  readonly headers: FetchedHeaders["headers"];
  /** Monotonic. */
  readonly dueAt: number;
  readonly endsAt: number | undefined;
}

/**
 * The headers of one source, renewed before they end. While the source fails those fetched before are used for as long
 * as they may be good, and it is tried again.
 */
export class RenewedHeaders {
  readonly #source: HeaderSource;
  readonly #deps: RenewedHeadersDeps;
  readonly #backoff: Backoff;
  #held: Held | undefined;
  #refused = false;
  #pending: Promise<void> | undefined;
  #failure: string | undefined;
  #timer: Timer | undefined;
  #stopped = false;

  constructor(source: HeaderSource, deps: RenewedHeadersDeps) {
    this.#source = source;
    this.#deps = deps;
    const { random } = deps;
    this.#backoff = new Backoff({
      initialMs: 5_000,
      maxMs: 300_000,
      factor: 2,
      jitter: 0.3,
      ...(random && { random }),
    });
  }

  /** Why the source gives nothing at this moment. */
  get concern(): string | undefined {
    return this.#failure;
  }

  /** @throws Error when nothing is held that may be good; it holds no secret. */
  async present(): Promise<FetchedHeaders["headers"]> {
    const isUsable = this.#usable !== undefined;
    // Where it costs nothing, or nothing else is left, the newest is waited for.
    if (!isUsable || this.#source.intervalMs === 0) await this.#fetch();
    else if (this.#isDue && this.#failure === undefined) void this.#fetch();
    const held = this.#usable;
    if (held !== undefined) return held.headers;
    throw new Error(this.#failure ?? `${this.#source.name}: what it gave is no longer good`);
  }

  /** The server has refused them: they are fetched again before the next attempt. */
  refuse(): void {
    this.#refused = true;
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  get #usable(): Held | undefined {
    const held = this.#held;
    const hasEnded = held?.endsAt !== undefined && this.#deps.clock.monotonic() >= held.endsAt;
    return this.#refused || hasEnded ? undefined : held;
  }

  get #isDue(): boolean {
    return this.#held !== undefined && this.#deps.clock.monotonic() >= this.#held.dueAt;
  }

  /** Never rejects. One at a time. */
  #fetch(): Promise<void> {
    this.#pending ??= this.#fetchNow().finally(() => {
      this.#pending = undefined;
    });
    return this.#pending;
  }

  async #fetchNow(): Promise<void> {
    const { clock, logger } = this.#deps;
    const { name, intervalMs, expiryBufferMs } = this.#source;
    this.#timer?.cancel();
    const startedAt = clock.monotonic();
    try {
      const { headers, lifetimeMs } = await this.#source.fetch();
      if (this.#stopped) return;
      // One that lives shorter than the buffer would never be held at all.
      const afterMs =
        lifetimeMs === undefined ? intervalMs : lifetimeMs - Math.min(expiryBufferMs, lifetimeMs / 3);
      const endsAt = lifetimeMs === undefined ? undefined : startedAt + lifetimeMs;
      this.#held = { headers, dueAt: startedAt + afterMs, endsAt };
      this.#refused = false;
      this.#backoff.reset();
      if (afterMs > 0 && intervalMs > 0) this.#fetchIn(afterMs);
      if (this.#failure === undefined) return;
      this.#failure = undefined;
      logger.info({ event: "credentials_renewed", source: name }, "the credentials are renewed again");
      this.#deps.changed();
    } catch (error) {
      this.#failed(`${name}: ${describeError(error)}`);
    }
  }

  #failed(failure: string): void {
    if (this.#stopped) return;
    const { logger } = this.#deps;
    const retryInMs = this.#backoff.next();
    this.#fetchIn(retryInMs);
    if (failure === this.#failure) return;
    this.#failure = failure;
    const fields = { event: "credentials_failed", error: failure, retry_in_ms: retryInMs };
    logger.warn(fields, "the credentials cannot be renewed; those held are used while they may be good");
    this.#deps.changed();
  }

  #fetchIn(ms: number): void {
    this.#timer?.cancel();
    if (!this.#stopped) this.#timer = this.#deps.clock.setTimer(ms, () => void this.#fetch());
  }
}
