import type { Clock, Timer } from "../../foundation/clock.ts";
import type { Logger } from "../../foundation/logger.ts";
import { AgentCapability, hasBits } from "../bits.ts";
import { isUsableInstanceUid } from "../instance-uid.ts";
import type { ConnectionSettingsRequest, CustomMessage, ServerToAgent } from "../messages.ts";
import { DemandLimit } from "./demand-limit.ts";
import { errorResponseFailure } from "./error-response.ts";
import { Heartbeat } from "./heartbeat.ts";
import { requestTimeoutMs } from "./http-request.ts";
import { httpTransport } from "./http-transport.ts";
import { announcedParts } from "./inbound.ts";
import { Letters } from "./letters.ts";
import type { Link, LinkFailure, Transport } from "./link.ts";
import { type AgentSessionHandlers, Notices } from "./notices.ts";
import { Outbound } from "./outbound.ts";
import { Reconnection } from "./reconnection.ts";
import type { ReportedChange, ReportedState } from "./reported-state.ts";
import type { AgentSessionSettings } from "./settings.ts";
import { webSocketTransport } from "./websocket-transport.ts";

export type { AgentSessionHandlers } from "./notices.ts";
export type { AgentSessionSettings } from "./settings.ts";

const closeTimeoutMs = 5_000;

export interface AgentSessionDependencies {
  clock: Clock;
  logger: Logger;
  random?: () => number;
}

interface Connection {
  readonly link: Link;
  phase: "opening" | "awaiting-first-answer" | "answered";
  /** Whether `onConnected` was called. */
  connected: boolean;
}

/**
 * Keeps one server informed of a {@link ReportedState} and hears what it has to say, over WebSocket or plain
 * HTTP. It reconnects for ever. Sends happen in a microtask, so that changes made together travel together.
 */
export class AgentSession {
  readonly #state: ReportedState;
  readonly #clock: Clock;
  readonly #notices: Notices;
  readonly #transport: Transport;
  readonly #outbound: Outbound;
  readonly #letters: Letters;
  readonly #reconnection: Reconnection;
  readonly #heartbeat: Heartbeat;
  readonly #demands: DemandLimit;
  #connection: Connection | undefined;
  /** A link that was given up and is still closing. */
  #closing: Link | undefined;
  #firstAnswerTimer: Timer | undefined;
  #retryTimer: Timer | undefined;
  #sendScheduled = false;
  /** Pending for as long as there is nothing to report yet. */
  #undescribed: Promise<void> | undefined;
  #unsubscribe: (() => void) | undefined;
  #stopped: Promise<void> | undefined;

  constructor(
    settings: AgentSessionSettings,
    state: ReportedState,
    handlers: AgentSessionHandlers,
    { clock, logger, random = Math.random }: AgentSessionDependencies,
  ) {
    this.#state = state;
    this.#clock = clock;
    this.#notices = new Notices(handlers, logger, settings.endpoint, clock);
    this.#transport = /^wss?:$/.test(settings.endpoint.protocol)
      ? webSocketTransport(settings, clock)
      : httpTransport(settings, clock, () => state.instanceUid);
    this.#outbound = new Outbound(state, settings.maxMessageBytes, logger);
    this.#letters = new Letters(this.#outbound.outbox, state, logger);
    this.#reconnection = new Reconnection(clock, random);
    const beats = { intervalMs: settings.heartbeatIntervalMs, polls: this.#transport.polls };
    this.#heartbeat = new Heartbeat(clock, beats, () => this.#beat());
    this.#demands = new DemandLimit(clock, () => this.#scheduleSend());
  }

  /** What the server announced it can do; 0 before its first answer (AT11). */
  get serverCapabilities(): bigint {
    return this.#letters.serverCapabilities;
  }

  /** Whether it was told to stop; it cannot be started again then. */
  get stopped(): boolean {
    return this.#stopped !== undefined;
  }

  /**
   * Begins to connect. Only the first call, and none after `stop`, has an effect. The first message waits for
   * `described`: until then the state has nothing to say. If that rejects the session stays silent.
   */
  start(described?: Promise<void>): void {
    if (this.#stopped !== undefined || this.#unsubscribe !== undefined) return;
    this.#undescribed = described?.then(
      () => {
        this.#undescribed = undefined;
      },
      () => new Promise<never>(() => undefined),
    );
    this.#unsubscribe = this.#state.subscribe((change) => this.#stateChanged(change));
    this.#open();
  }

  /**
   * Says good-bye (AT15, AH11) and resolves when the connection is closed, after `timeoutMs` at the latest.
   * May be called from within a handler (P17) and more than once.
   */
  stop(timeoutMs = closeTimeoutMs): Promise<void> {
    if (this.#stopped === undefined) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      // Known before the shutdown runs, which may call back.
      this.#stopped = promise;
      this.#shutDown(timeoutMs).then(resolve, reject);
    }
    return this.#stopped;
  }

  /** Queues a message if both sides announced its capability (SX2); `full` means it was dropped. */
  sendCustomMessage(message: CustomMessage): "queued" | "unsupported" | "full" {
    return this.#queued(() => this.#letters.putCustomMessage(message));
  }

  /** Whether the server announced this custom capability, and no message of it still waits to be sent. */
  wantsCustomMessage(capability: string): boolean {
    return this.#stopped === undefined && this.#letters.wantsCustomMessage(capability);
  }

  /** Asks for a certificate (AN19), if the server announced that it issues them (AN20). The newest request wins. */
  requestConnectionSettings(request: ConnectionSettingsRequest): "queued" | "unsupported" {
    return this.#queued(() => this.#letters.putRequest(request));
  }

  #queued<T extends string>(put: () => T): T | "unsupported" {
    if (this.#stopped !== undefined) return "unsupported";
    const outcome = put();
    if (outcome === "queued") this.#scheduleSend();
    return outcome;
  }

  /** As `heartbeatIntervalMs` of the settings. */
  setHeartbeatInterval(ms: number): void {
    this.#heartbeat.setInterval(ms);
  }

  #open(): void {
    if (this.#stopped !== undefined) return;
    if (this.#transport.startsAfresh) this.#outbound.known.demandFull();
    const whileCurrent = (run: () => void) => {
      if (this.#connection === connection) run();
    };
    const link = this.#transport.open({
      onOpen: () => whileCurrent(() => this.#opened(connection)),
      onReady: () => whileCurrent(() => this.#scheduleSend()),
      onMessage: (message) => whileCurrent(() => this.#received(connection, message)),
      onTooLarge: (error) => whileCurrent(() => this.#tooLarge(connection, error)),
      onFault: (failure) => whileCurrent(() => this.#giveUp(connection, failure)),
      onClosed: (failure) => whileCurrent(() => this.#ended(connection, failure)),
    });
    const connection: Connection = { link, phase: "opening", connected: false };
    this.#connection = connection;
  }

  #opened(connection: Connection): void {
    if (this.#undescribed !== undefined) {
      this.#notices.opened();
      void this.#undescribed.then(() => {
        if (this.#connection === connection) this.#opened(connection);
      });
      return;
    }
    connection.phase = "awaiting-first-answer";
    this.#firstAnswerTimer = this.#clock.setTimer(requestTimeoutMs, () => {
      const error = new Error(
        `the server did not answer the first message within ${requestTimeoutMs / 1000} s`,
      );
      this.#giveUp(connection, { error, pace: "backoff" });
    });
    const { link } = connection;
    this.#send(link, this.#outbound.next(link) ?? this.#outbound.heartbeat(link));
  }

  #send(link: Link, encoded: Uint8Array): void {
    link.send(encoded);
    this.#heartbeat.restart();
  }

  #stateChanged(change: ReportedChange): void {
    // To the server another uid is another Agent, of which it knows nothing yet.
    if (change === "instanceUid") this.#outbound.known.demandFull();
    this.#scheduleSend();
  }

  #scheduleSend(): void {
    if (this.#sendScheduled) return;
    this.#sendScheduled = true;
    queueMicrotask(() => {
      this.#sendScheduled = false;
      this.#sendDue();
    });
  }

  /** Sends what is due, unless the link is busy: it calls back when it is not (AT3, AT4, AT13). */
  #sendDue(): void {
    const connection = this.#connection;
    if (connection?.phase !== "answered" || !connection.link.ready) return;
    if (!this.#outbound.due || !this.#demands.allows()) return;
    const encoded = this.#outbound.next(connection.link);
    if (encoded !== undefined) this.#send(connection.link, encoded);
  }

  #beat(): void {
    const connection = this.#connection;
    if (connection?.phase !== "answered" || !connection.link.ready) return;
    const announced = hasBits(this.#state.capabilities, AgentCapability.ReportsHeartbeat);
    if (this.#transport.polls || announced)
      this.#send(connection.link, this.#outbound.heartbeat(connection.link));
  }

  #received(connection: Connection, message: ServerToAgent): void {
    if (!this.#outbound.addresses(message.instanceUid)) {
      this.#notices.foreignMessage(message.instanceUid);
      const error = new Error("the server answered for another instance uid");
      // Over plain HTTP it was the answer, and there will be no other.
      if (this.#transport.polls) this.#giveUp(connection, { error, pace: "backoff" });
      return;
    }
    this.#answered(connection);
    if (message.errorResponse === undefined) this.#accepted(connection, message);
    else this.#refused(connection, errorResponseFailure(message.errorResponse));
  }

  #answered(connection: Connection): void {
    connection.phase = "answered";
    this.#firstAnswerTimer?.cancel();
  }

  #accepted(connection: Connection, message: ServerToAgent): void {
    this.#outbound.answered();
    this.#reconnection.answered();
    this.#letters.heard(message);
    if (message.capabilities !== 0n) this.#outbound.known.setServerCapabilities(message.capabilities);
    if (!connection.connected) {
      connection.connected = true;
      this.#notices.connected(this.#state.instanceUid);
    }
    if (this.#stopped !== undefined) return;
    this.#heartbeat.negotiate(message, this.#state.capabilities);
    if (this.#outbound.known.demandFlagged(message.flags)) this.#demands.raise();
    this.#identify(message.agentIdentification?.newInstanceUid);
    this.#notices.message(announcedParts(message, this.#state));
    // What is due may have waited for this answer (AT3); nothing is sent if nothing is due (AT5).
    this.#scheduleSend();
  }

  #identify(uid: Uint8Array | undefined): void {
    if (uid === undefined) return;
    if (!isUsableInstanceUid(uid)) {
      this.#notices.unusableInstanceUid(uid);
      return;
    }
    const changed = Buffer.compare(uid, this.#state.instanceUid) !== 0;
    this.#state.adoptInstanceUid(uid);
    if (!changed) return;
    this.#demands.raise();
    this.#notices.instanceUid(uid);
  }

  #refused(connection: Connection, failure: LinkFailure): void {
    if (failure.pace === "throttled") {
      this.#giveUp(connection, failure);
      return;
    }
    this.#outbound.refused();
    this.#notices.messageRefused(failure.error);
    this.#scheduleSend();
  }

  #tooLarge(connection: Connection, error: Error): void {
    this.#answered(connection);
    this.#outbound.tooLarge();
    this.#notices.messageRefused(error);
  }

  /** Leaves a link that is still open, in an orderly way, and tries again later (AW6, AW7, AW13). */
  #giveUp(connection: Connection, failure: LinkFailure): void {
    const { link } = connection;
    if (this.#transport.polls) {
      // There is no connection to leave: the Agent only pauses (AH15).
      link.abort();
      this.#ended(connection, failure);
      return;
    }
    this.#closing = link;
    const farewell = this.#outbound.farewell(link);
    const closed = link.close(farewell, closeTimeoutMs).then(() => {
      this.#closing = undefined;
    });
    this.#ended(connection, failure, closed);
  }

  #ended({ connected }: Connection, failure: LinkFailure, closed?: Promise<void>): void {
    this.#connection = undefined;
    this.#cancelTimers();
    this.#outbound.lost();
    const retryInMs = this.#reconnection.failed(failure);
    if (connected) this.#notices.disconnected(failure.error, retryInMs);
    else this.#notices.connectFailed(failure.error, retryInMs);
    // At most one connection at a time (AW6).
    if (closed === undefined) this.#openIn(retryInMs);
    else void closed.then(() => this.#openIn(retryInMs));
  }

  #openIn(ms: number): void {
    if (this.#stopped !== undefined) return;
    if (ms === 0) this.#open();
    else this.#retryTimer = this.#clock.setTimer(ms, () => this.#open());
  }

  async #shutDown(timeoutMs: number): Promise<void> {
    this.#notices.silence();
    const connection = this.#connection;
    this.#connection = undefined;
    this.#unsubscribe?.();
    this.#cancelTimers();
    this.#reconnection.linkEnded();
    this.#retryTimer?.cancel();
    this.#closing?.abort();
    if (connection === undefined) return;
    if (connection.phase === "opening") {
      connection.link.abort();
      return;
    }
    const unsent = this.#outbound.outbox.size;
    await connection.link.close(this.#outbound.farewell(connection.link), timeoutMs);
    this.#notices.stopped(unsent);
  }

  #cancelTimers(): void {
    this.#heartbeat.stop();
    this.#firstAnswerTimer?.cancel();
    this.#demands.drop();
  }
}
