import { Backoff } from "../../foundation/backoff.ts";
import type { Clock, Timer } from "../../foundation/clock.ts";
import { describeError } from "../../foundation/errors.ts";
import type { Logger } from "../../foundation/logger.ts";
import { type Channel, DeliveryError } from "./delivery.ts";
import type { Notification } from "./notification.ts";

export interface OutboxOptions {
  channel: Channel;
  clock: Clock;
  log: Logger;
  random?: () => number;
}

/** Beyond it the oldest is given up: who was away for so long wants the newest. */
const maxWaiting = 500;
const attemptMs = 15_000;
/** A receiver that is away longer than this is told what happens then, not what happened. */
const giveUpMs = 24 * 3_600_000;

/** What is to be sent by one channel: one at a time, in order, tried again with growing pauses. In memory. */
export class Outbox {
  readonly #options: OutboxOptions;
  readonly #waiting: Notification[] = [];
  readonly #backoff: Backoff;
  readonly #stopped = new AbortController();
  #pause: Timer | undefined;
  #sending: Promise<void> | undefined;

  constructor(options: OutboxOptions) {
    this.#options = options;
    const { random } = options;
    this.#backoff = new Backoff({
      initialMs: 1_000,
      maxMs: 300_000,
      factor: 2,
      jitter: 0.5,
      ...(random && { random }),
    });
  }

  /** Takes it to be sent; waits for nothing and never throws. */
  post(notification: Notification): void {
    if (this.#stopped.signal.aborted) return;
    this.#waiting.push(notification);
    // The first may be on its way: then the second is the oldest that can be given up.
    const oldest = this.#sending === undefined ? 0 : 1;
    if (this.#waiting.length > maxWaiting)
      this.#giveUp(this.#waiting.splice(oldest, 1), "too many are waiting");
    if (this.#pause === undefined) this.#send();
  }

  /** Tries nothing more; what was not sent is in the log. */
  async close(): Promise<void> {
    this.#stopped.abort();
    this.#pause?.cancel();
    await this.#sending;
    this.#giveUp(this.#waiting.splice(0), "the server stops");
  }

  #send(): void {
    if (this.#sending !== undefined) return;
    this.#sending = this.#sendAll().finally(() => {
      this.#sending = undefined;
    });
  }

  async #sendAll(): Promise<void> {
    for (;;) {
      const [next] = this.#waiting;
      if (next === undefined || this.#stopped.signal.aborted) return;
      const failure = await this.#attempt(next);
      if (this.#stopped.signal.aborted && failure !== undefined) return;
      if (failure === undefined) {
        this.#waiting.shift();
        this.#backoff.reset();
        continue;
      }
      const tooOld = this.#options.clock.now() - next.at > giveUpMs;
      if (!failure.worthRetrying || tooOld) {
        this.#giveUp([this.#waiting.shift() ?? next], failure.message);
        continue;
      }
      const delayMs = this.#backoff.next();
      this.#log("notification_delayed", next, failure.message, { retry_in_ms: delayMs });
      this.#pause = this.#options.clock.setTimer(delayMs, () => {
        this.#pause = undefined;
        this.#send();
      });
      return;
    }
  }

  /** Undefined when it was taken. */
  async #attempt(notification: Notification): Promise<DeliveryError | undefined> {
    const { channel, clock } = this.#options;
    const late = new AbortController();
    const deadline = clock.setTimer(attemptMs, () => late.abort());
    try {
      await channel.send(notification, AbortSignal.any([late.signal, this.#stopped.signal]));
      return undefined;
    } catch (error) {
      if (late.signal.aborted) return new DeliveryError("it took longer than 15 s", { worthRetrying: true });
      return error instanceof DeliveryError
        ? error
        : new DeliveryError(describeError(error), { worthRetrying: true });
    } finally {
      deadline.cancel();
    }
  }

  #giveUp(notifications: readonly Notification[], reason: string): void {
    for (const each of notifications) this.#log("notification_lost", each, reason, { text: each.text });
  }

  #log(event: string, { id, title }: Notification, reason: string, more: Record<string, unknown>): void {
    const { channel, log } = this.#options;
    log.warn({ event, channel: channel.name, notification: id, reason, ...more }, `not told: ${title}`);
  }
}
