import type { Clock, Timer } from "../../foundation/clock.ts";
import { describeError, errorCode } from "../../foundation/errors.ts";
import type { ServerToAgent } from "../../opamp/messages.ts";
import type { ServerConnection } from "./server-connection.ts";

/** How long reaching a server may take, and how long its answer. Milliseconds. */
const stepTimeoutMs = 15_000;
/** A server that is just being restarted gets this many chances to be reached. */
const maxAttempts = 3;
/** Trouble of the network that may be over in a moment; anything else was said by the server, or is about TLS. */
const passing: ReadonlySet<string> = new Set([
  ...["ECONNREFUSED", "ECONNRESET", "EHOSTUNREACH", "ENETUNREACH", "ETIMEDOUT", "EPIPE"],
  ...["ENOTFOUND", "EAI_AGAIN"],
]);
/** Messages that are kept until the connection is the one in use. */
const maxKeptMessages = 64;

/**
 * A connection that is not yet the one in use: first the server is reached and nothing is said, then it has to
 * answer a message.
 */
export class Trial {
  readonly connection: ServerConnection;
  readonly #clock: Clock;
  readonly #opened = Promise.withResolvers<void>();
  readonly #answered = Promise.withResolvers<void>();
  readonly #mayspeak = Promise.withResolvers<void>();
  #speaking = false;
  #failures = 0;
  #lastError: Error | undefined;
  #timer: Timer | undefined;
  #messages: ServerToAgent[] = [];

  constructor(connection: ServerConnection, clock: Clock) {
    this.connection = connection;
    this.#clock = clock;
    for (const { promise } of [this.#opened, this.#answered]) promise.catch(() => undefined);
  }

  /** Resolves when the server is reached: with WebSocket it took the handshake with TLS and headers. */
  reach(described: Promise<void>): Promise<void> {
    this.#limit("the server was not reached");
    this.connection.session.start(Promise.all([described, this.#mayspeak.promise]).then(() => undefined));
    return this.#opened.promise;
  }

  /** Resolves when the server has answered the first message. */
  speak(): Promise<void> {
    this.#speaking = true;
    this.#limit("the server did not answer");
    this.#mayspeak.resolve();
    return this.#answered.promise;
  }

  opened(): void {
    this.#timer?.cancel();
    this.#opened.resolve();
  }

  answered(): void {
    this.#timer?.cancel();
    this.#opened.resolve();
    this.#answered.resolve();
  }

  failed(error: Error): void {
    this.#lastError = error;
    this.#failures += 1;
    const mayPass = !this.#speaking && passing.has(errorCode(error) ?? "");
    if (!mayPass || this.#failures >= maxAttempts) this.end(error);
  }

  received(message: ServerToAgent): void {
    if (this.#messages.length < maxKeptMessages) this.#messages.push(message);
  }

  /** What the server has said meanwhile, in order. */
  takeMessages(): ServerToAgent[] {
    const messages = this.#messages;
    this.#messages = [];
    return messages;
  }

  /** It has no future; whoever waits for it learns why. */
  end(reason: Error): void {
    this.#timer?.cancel();
    this.#opened.reject(reason);
    this.#answered.reject(reason);
  }

  #limit(what: string): void {
    this.#timer?.cancel();
    this.#timer = this.#clock.setTimer(stepTimeoutMs, () => {
      const because = this.#lastError === undefined ? "" : `: ${describeError(this.#lastError)}`;
      this.end(new Error(`${what} within ${stepTimeoutMs / 1_000} s${because}`));
    });
  }
}
