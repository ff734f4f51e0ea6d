import type { Clock } from "../../foundation/clock.ts";
import { describeError } from "../../foundation/errors.ts";
import type { Logger } from "../../foundation/logger.ts";
import { Repetition } from "../../foundation/repetition.ts";
import { formatInstanceUid } from "../instance-uid.ts";
import type { ServerToAgent } from "../messages.ts";
import { namingTheClock } from "./clock-fault.ts";

/** What a session tells its owner. No handler is called any more once `stop` was called. */
export interface AgentSessionHandlers {
  /** The link is open, and the first message waits for `described` (see `AgentSession.start`). */
  onOpened?(): void;
  /** The server answered the first message on this connection, without an error. */
  onConnected(): void;
  /** An attempt ended before that; the next one follows in `retryInMs`. */
  onConnectFailed(error: Error, retryInMs: number): void;
  /** A connection on which `onConnected` was called has ended; the session is already on its way back. */
  onDisconnected(reason: string): void;
  /** For this Agent, without error, and only the parts whose capability was announced (AT10, AI7, AE1). */
  onMessage(message: ServerToAgent): void;
  /** The server assigned another uid; the state has it already, and what is set here goes into the next message. */
  onInstanceUid(uid: Uint8Array): void;
}

/** Logs what happens to a session and calls its handlers. */
export class Notices {
  readonly #handlers: AgentSessionHandlers;
  readonly #logger: Logger;
  readonly #serverUrl: string;
  readonly #clock: Clock;
  readonly #failures: Repetition;
  #silent = false;

  constructor(handlers: AgentSessionHandlers, logger: Logger, endpoint: URL, clock: Clock) {
    this.#handlers = handlers;
    this.#logger = logger;
    this.#serverUrl = displayUrl(endpoint);
    this.#clock = clock;
    this.#failures = new Repetition(clock);
  }

  /** Calls no handler from now on. */
  silence(): void {
    this.#silent = true;
  }

  opened(): void {
    this.#tell(() => this.#handlers.onOpened?.());
  }

  connected(instanceUid: Uint8Array): void {
    this.#failures.reset();
    const fields = { server_url: this.#serverUrl, instance_uid: formatInstanceUid(instanceUid) };
    this.#logger.info({ event: "connected_to_server", ...fields }, "connected to the OpAMP server");
    this.#tell(() => this.#handlers.onConnected());
  }

  connectFailed(cause: Error, retryInMs: number): void {
    const failure = namingTheClock(cause, this.#clock.now());
    const error = describeError(failure);
    // The time in it would make each one another.
    const attempt = this.#failures.next(describeError(cause));
    if (attempt !== undefined) {
      const fields = { server_url: this.#serverUrl, error, retry_in_ms: retryInMs, attempt };
      this.#logger.warn(
        { event: "server_connection_failed", ...fields },
        "cannot connect to the OpAMP server",
      );
    }
    this.#tell(() => this.#handlers.onConnectFailed(failure, retryInMs));
  }

  disconnected(cause: Error, retryInMs: number): void {
    const error = describeError(cause);
    const fields = { server_url: this.#serverUrl, error, retry_in_ms: retryInMs };
    this.#logger.warn({ event: "server_disconnected", ...fields }, "lost the OpAMP server");
    this.#tell(() => this.#handlers.onDisconnected(error));
  }

  stopped(unsent: number): void {
    const fields = { server_url: this.#serverUrl, unsent_messages: unsent };
    this.#logger.info({ event: "server_disconnected", ...fields }, "left the OpAMP server");
  }

  message(message: ServerToAgent): void {
    this.#tell(() => this.#handlers.onMessage(message));
  }

  instanceUid(uid: Uint8Array): void {
    const fields = { event: "instance_uid_assigned", instance_uid: formatInstanceUid(uid) };
    this.#logger.info(fields, "the server assigned another instance uid");
    this.#tell(() => this.#handlers.onInstanceUid(uid));
  }

  unusableInstanceUid(uid: Uint8Array): void {
    const fields = { event: "instance_uid_ignored", length: uid.length };
    this.#logger.warn(
      fields,
      "the server assigned an unusable instance uid; 16 bytes, not all zero, are expected",
    );
  }

  foreignMessage(uid: Uint8Array): void {
    const fields = { event: "message_ignored", instance_uid: formatInstanceUid(uid) };
    this.#logger.warn(fields, "ignored a message for another agent");
  }

  messageRefused(error: Error): void {
    const fields = { event: "message_refused", server_url: this.#serverUrl, error: describeError(error) };
    this.#logger.warn(fields, "the server refused a message; its content is not sent again");
  }

  /** A handler that throws is a defect of its owner; it must not cost the connection. */
  #tell(call: () => void): void {
    if (this.#silent) return;
    try {
      call();
    } catch (error) {
      this.#logger.error(
        { event: "handler_failed", error: describeError(error) },
        "a session handler failed",
      );
    }
  }
}

/** The address without credentials and query, which may hold secrets. */
function displayUrl(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname}`;
}
