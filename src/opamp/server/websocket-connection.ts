import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import type { RawData, WebSocket } from "ws";
import type { Timer } from "../../foundation/clock.ts";
import { describeError } from "../../foundation/errors.ts";
import { decodeFrame } from "../framing.ts";
import { MalformedMessageError } from "../malformed-message.ts";
import { AgentToServerSchema, type ServerToAgent } from "../messages.ts";
import {
  answerMessage,
  completeMessage,
  encodeWithinLimit,
  greet,
  internalError,
  unavailable,
} from "./answer.ts";
import type { AgentConnection, EndpointHandlers, ServerToAgentInit } from "./contract.ts";
import { encodeServerToAgent } from "./encode-message.ts";
import { FrameQueue } from "./frame-queue.ts";
import { MessageAllowance } from "./message-allowance.ts";
import type { EndpointSettings } from "./settings.ts";

const noUid = new Uint8Array();

/** RFC 6455's registry of close codes: try again later. */
const tryAgainLater = 1013;
const retryAfterMs = 60_000;

/** One Agent's (or one proxy's) WebSocket: frames in, answers out, strictly in order. */
export class WebSocketConnection<C> implements AgentConnection<C> {
  readonly id: number;
  readonly transport = "websocket";
  readonly context: C;
  readonly remoteAddress: string;
  readonly headers: IncomingHttpHeaders;
  /** Resolves after `onClosed`. */
  readonly closed: Promise<void>;

  readonly #socket: WebSocket;
  readonly #settings: EndpointSettings;
  readonly #handlers: EndpointHandlers<C>;
  readonly #frames: FrameQueue;
  readonly #allowance: MessageAllowance;
  readonly #pings = new Set<PromiseWithResolvers<void>>();
  readonly #settleClosed: () => void;
  #greeted = false;
  #malformedSeen = false;
  #throttled = false;
  #lastUid: Uint8Array = noUid;
  #lastHeard: number;
  #idlePinged = false;
  #firstMessageTimer: Timer | undefined;
  #idleTimer: Timer | undefined;
  #closeTimer: Timer | undefined;
  #closeReason: string | undefined;

  constructor(
    identity: { id: number; context: C; request: IncomingMessage },
    socket: WebSocket,
    settings: EndpointSettings,
    handlers: EndpointHandlers<C>,
  ) {
    this.id = identity.id;
    this.context = identity.context;
    this.remoteAddress = identity.request.socket.remoteAddress ?? "";
    this.headers = identity.request.headers;
    this.#socket = socket;
    this.#settings = settings;
    this.#handlers = handlers;
    this.#lastHeard = settings.clock.monotonic();
    this.#allowance = new MessageAllowance(settings.maxMessagesPerSecond, settings.clock);
    this.#frames = new FrameQueue(settings.maxMessageBytes, {
      handle: (frame, isBinary) => this.#handleFrame(frame, isBinary),
      pause: () => socket.pause(),
      resume: () => socket.resume(),
      overflow: () => this.#cutOff("it sends faster than its messages can be handled"),
    });
    const { promise, resolve } = Promise.withResolvers<void>();
    this.closed = promise;
    this.#settleClosed = resolve;
    this.#listen();
  }

  send(init: ServerToAgentInit): boolean {
    const uid =
      init.instanceUid === undefined || init.instanceUid.length === 0 ? undefined : init.instanceUid;
    return this.#write(completeMessage(init, uid ?? this.#lastUid));
  }

  close(code: number, reason: string): void {
    if (this.#closeTimer !== undefined) return;
    this.#closeReason ??= reason;
    this.#armCutOff();
    // A close frame holds 123 bytes of reason at most.
    this.#socket.close(code, Buffer.from(reason).subarray(0, 120).toString().replaceAll("\uFFFD", ""));
  }

  ping(): Promise<void> {
    const pending = Promise.withResolvers<void>();
    if (this.#socket.readyState !== this.#socket.OPEN) {
      pending.reject(new Error("the connection is closed"));
      return pending.promise;
    }
    this.#pings.add(pending);
    this.#socket.ping();
    return pending.promise;
  }

  #listen(): void {
    const { clock, handshakeTimeoutMs, idleTimeoutMs } = this.#settings;
    this.#socket.on("message", (data, isBinary) => this.#receive(data, isBinary));
    this.#socket.on("ping", () => this.#hear());
    this.#socket.on("pong", () => this.#receivePong());
    this.#socket.on("error", (error) => this.#fail(error));
    this.#socket.on("close", (code, reason) => this.#finish(code, reason.toString()));
    this.#firstMessageTimer = clock.setTimer(handshakeTimeoutMs, () =>
      this.close(1008, `no message within ${handshakeTimeoutMs} ms`),
    );
    if (idleTimeoutMs > 0) this.#watchIdle(idleTimeoutMs);
  }

  #receive(data: RawData, isBinary: boolean): void {
    this.#hear();
    this.#firstMessageTimer?.cancel();
    // `nodebuffer` is the binary type, so one Buffer is all that ever comes.
    this.#frames.push(data as Buffer, isBinary);
  }

  async #handleFrame(frame: Buffer, isBinary: boolean): Promise<void> {
    if (this.#throttled) return;
    const waitMs = this.#allowance.take(frame.length);
    if (waitMs === undefined) return this.#throttle();
    // Reading stops meanwhile once the queue is long: the peer itself has to wait.
    if (waitMs > 0) await this.#rest(waitMs);
    const read = () => {
      if (!isBinary) throw new MalformedMessageError("a text frame; OpAMP messages are binary frames");
      return decodeFrame(AgentToServerSchema, frame);
    };
    const { answer, message } = await answerMessage(this, read, {
      handlers: this.#handlers,
      logger: this.#settings.logger,
    });
    if (message === undefined) {
      this.#logMalformed(answer);
      answer.instanceUid = this.#lastUid;
    } else {
      this.#lastUid = message.instanceUid.slice();
    }
    if (this.#write(answer) || this.#socket.readyState !== this.#socket.OPEN) return;
    this.#write(internalError(answer.instanceUid));
  }

  #rest(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      this.#settings.clock.setTimer(milliseconds, resolve);
    });
  }

  #throttle(): void {
    this.#throttled = true;
    const reason = `more than ${this.#settings.maxMessagesPerSecond} messages a second on one connection`;
    const fields = {
      event: "opamp_connection_throttled",
      connection: this.id,
      remote_address: this.remoteAddress,
    };
    this.#settings.logger.warn({ ...fields, reason }, "an agent was told to come back later");
    this.#write(unavailable(this.#lastUid, retryAfterMs, reason));
    this.close(tryAgainLater, reason);
  }

  #write(message: ServerToAgent): boolean {
    if (this.#socket.readyState !== this.#socket.OPEN) return false;
    const greeted = this.#greeted ? message : greet(message, this.#settings, true);
    const frame = encodeWithinLimit(
      greeted,
      (whole) => encodeServerToAgent(whole, 1),
      this.id,
      this.#settings,
    );
    if (frame === undefined) return false;
    if (this.#socket.bufferedAmount > this.#settings.maxBufferedBytes) {
      this.#cutOff("it does not read what it is sent");
      return false;
    }
    this.#greeted ||= message.errorResponse === undefined;
    this.#socket.send(frame, ignoreWriteError);
    this.#handlers.onSent?.(message);
    return true;
  }

  #hear(): void {
    this.#lastHeard = this.#settings.clock.monotonic();
    this.#idlePinged = false;
  }

  #receivePong(): void {
    this.#hear();
    for (const pending of this.#pings) pending.resolve();
    this.#pings.clear();
  }

  #watchIdle(delayMs: number): void {
    const { clock, idleTimeoutMs } = this.#settings;
    this.#idleTimer = clock.setTimer(delayMs, () => {
      const silentMs = clock.monotonic() - this.#lastHeard;
      // While frames wait to be handled it is not the peer who is slow.
      if (this.#frames.busy) return this.#watchIdle(idleTimeoutMs);
      if (silentMs < idleTimeoutMs) return this.#watchIdle(idleTimeoutMs - silentMs);
      if (this.#idlePinged) return this.#cutOff("it was silent and did not answer a ping");
      this.#idlePinged = true;
      this.#socket.ping();
      this.#watchIdle(idleTimeoutMs);
    });
  }

  #armCutOff(): void {
    const { clock, closeTimeoutMs } = this.#settings;
    this.#closeTimer ??= clock.setTimer(closeTimeoutMs, () => this.#socket.terminate());
  }

  #cutOff(reason: string): void {
    this.#closeReason ??= reason;
    this.#socket.terminate();
  }

  /** ws has already sent the close frame that fits (1009 over the size limit, 1002 and 1007 for the rest). */
  #fail(error: Error): void {
    this.#closeReason ??= describeError(error);
    this.#armCutOff();
  }

  #finish(code: number, reason: string): void {
    this.#firstMessageTimer?.cancel();
    this.#idleTimer?.cancel();
    this.#closeTimer?.cancel();
    for (const pending of this.#pings) pending.reject(new Error("the connection closed before a pong came"));
    this.#pings.clear();
    const text = this.#closeReason ?? (reason === "" ? `closed by the agent with code ${code}` : reason);
    // What arrived before the end still counts: it may be the last report.
    void this.#frames.drained().then(() => {
      this.#notifyClosed(text);
      this.#settleClosed();
    });
  }

  #notifyClosed(reason: string): void {
    try {
      this.#handlers.onClosed(this, reason);
    } catch (error) {
      this.#settings.logger.error(
        { event: "opamp_handler_failed", connection: this.id, error: describeError(error) },
        "handling a closed connection failed",
      );
    }
  }

  /** Once a connection at warn: a peer that sends rubbish must not fill the log. */
  #logMalformed(answer: ServerToAgent): void {
    const fields = {
      event: "opamp_message_malformed",
      connection: this.id,
      remote_address: this.remoteAddress,
      reason: answer.errorResponse?.errorMessage,
    };
    const { logger } = this.#settings;
    if (this.#malformedSeen) logger.debug(fields, "another malformed message from this connection");
    else logger.warn(fields, "a malformed message was answered with BAD_REQUEST");
    this.#malformedSeen = true;
  }
}

/** The close event tells the same. */
function ignoreWriteError(): void {}
