import type { Agent, IncomingMessage } from "node:http";
import { type RawData, WebSocket } from "ws";
import type { Clock, Timer } from "../../foundation/clock.ts";
import { describeError } from "../../foundation/errors.ts";
import { agentFor } from "../../foundation/proxy/agent.ts";
import { decodeFrame, encodeFrame } from "../framing.ts";
import { type AgentToServer, AgentToServerSchema, ServerToAgentSchema } from "../messages.ts";
import { callerHeaders, requestTimeoutMs, statusFailure } from "./http-request.ts";
import type { Link, LinkEvents, LinkFailure, Transport } from "./link.ts";
import { type Destination, firstDestination, redirected } from "./redirect.ts";
import { type AgentSessionSettings, presentTls, proxyOf } from "./settings.ts";

const defaultPingIntervalMs = 30_000;
const compressAboveBytes = 1024;

/** Close codes of RFC 6455 section 7.4.1. */
const closeCode = { normal: 1000, unsupportedData: 1003, invalidPayload: 1007, tryAgainLater: 1013 } as const;

/** OpAMP over WebSocket (AW1-AW14). */
export function webSocketTransport(settings: AgentSessionSettings, clock: Clock): Transport {
  return {
    startsAfresh: true,
    polls: false,
    open: (events) => new WebSocketLink(settings, clock, events),
  };
}

class WebSocketLink implements Link {
  readonly #settings: AgentSessionSettings;
  readonly #clock: Clock;
  readonly #events: LinkEvents;
  readonly #dialTimer: Timer;
  #socket: WebSocket | undefined;
  #agent: Agent | undefined;
  #pingTimer: Timer | undefined;
  #writing = false;
  #closed = false;
  #closeCode: number = closeCode.normal;
  #failure: LinkFailure | undefined;
  #onClosed: (() => void) | undefined;

  constructor(settings: AgentSessionSettings, clock: Clock, events: LinkEvents) {
    this.#settings = settings;
    this.#clock = clock;
    this.#events = events;
    this.#dialTimer = clock.setTimer(requestTimeoutMs, () => {
      const error = new Error(`no WebSocket handshake within ${requestTimeoutMs / 1000} s`);
      this.#drop({ error, pace: "backoff" });
    });
    this.#dial(firstDestination(settings));
  }

  /** One write at a time: while the peer does not read, changes coalesce in the state instead of piling up here. */
  get ready(): boolean {
    return this.#socket?.readyState === WebSocket.OPEN && !this.#writing;
  }

  encode(message: AgentToServer): Uint8Array {
    return encodeFrame(AgentToServerSchema, message);
  }

  send(encoded: Uint8Array): void {
    this.#writing = true;
    this.#socket?.send(encoded, { compress: encoded.length > compressAboveBytes }, () => {
      this.#writing = false;
      if (this.ready && !this.#closed) this.#events.onReady();
    });
  }

  close(lastMessage: Uint8Array | undefined, timeoutMs: number): Promise<void> {
    const socket = this.#socket;
    if (this.#closed || socket === undefined || socket.readyState === WebSocket.CONNECTING) {
      this.abort();
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      const timer = this.#clock.setTimer(timeoutMs, () => this.abort());
      this.#onClosed = () => {
        timer.cancel();
        resolve();
      };
      // The peer may be closing already, and the write fail: there is nothing left to do about it (D9).
      if (lastMessage !== undefined) socket.send(lastMessage, () => undefined);
      socket.close(this.#closeCode);
    });
  }

  abort(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#dialTimer.cancel();
    this.#pingTimer?.cancel();
    this.#socket?.terminate();
    this.#agent?.destroy();
    this.#onClosed?.();
  }

  #dial(destination: Destination): void {
    this.#connect(destination).catch((error: unknown) =>
      this.#drop({ error: asError(error), pace: "backoff" }),
    );
  }

  async #connect(destination: Destination): Promise<void> {
    const { url, isTrusted } = destination;
    const configured = isTrusted ? callerHeaders(await this.#settings.headers()) : {};
    if (this.#closed) return;
    const { maxMessageBytes } = this.#settings;
    this.#agent = agentFor(url, proxyOf(this.#settings, url));
    const socket = new WebSocket(url, {
      ...presentTls(this.#settings),
      agent: this.#agent,
      headers: configured,
      followRedirects: false,
      handshakeTimeout: requestTimeoutMs,
      // Counts a whole message, header byte included, after inflation (AW4).
      maxPayload: maxMessageBytes,
      perMessageDeflate: {
        threshold: compressAboveBytes,
        // An idle connection keeps no compression state in memory.
        clientNoContextTakeover: true,
        serverNoContextTakeover: true,
      },
    });
    this.#socket = socket;
    socket.on("open", () => this.#opened());
    socket.on("message", (data, isBinary) => this.#received(data, isBinary));
    socket.on("pong", () => this.#alive());
    socket.on("unexpected-response", (_request, response) => this.#refused(destination, response));
    socket.on("error", (error) => {
      this.#failure ??= { error, pace: "at-once" };
    });
    socket.on("close", (code, reason) => this.#drop(this.#failure ?? closedByPeer(code, reason)));
  }

  #opened(): void {
    if (this.#closed) return;
    this.#dialTimer.cancel();
    this.#schedulePing();
    this.#events.onOpen();
  }

  #refused(destination: Destination, response: IncomingMessage): void {
    const { statusCode = 0, headers } = response;
    const next = redirected(destination, statusCode, headers, this.#settings);
    if (next === undefined) {
      if (statusCode === 401) this.#settings.onUnauthorized?.();
      this.#drop(statusFailure(statusCode, headers, destination.url, this.#clock.now()));
      return;
    }
    // The end of this one is no news.
    this.#socket
      ?.removeAllListeners()
      .on("error", () => undefined)
      .terminate();
    this.#agent?.destroy();
    this.#dial(next);
  }

  #received(data: RawData, isBinary: boolean): void {
    if (this.#closed) return;
    this.#alive();
    try {
      if (!isBinary) throw new Error("the server sent a text frame; OpAMP messages are binary");
      this.#events.onMessage(decodeFrame(ServerToAgentSchema, alone(data as Buffer)));
    } catch (error) {
      this.#closeCode = isBinary ? closeCode.invalidPayload : closeCode.unsupportedData;
      this.#events.onFault({ error: asError(error), pace: "at-once" });
    }
  }

  #schedulePing(): void {
    const interval = this.#settings.pingIntervalMs ?? defaultPingIntervalMs;
    if (interval <= 0) return;
    this.#pingTimer = this.#clock.setTimer(interval, () => {
      this.#socket?.ping();
      this.#pingTimer = this.#clock.setTimer(interval, () => {
        const error = new Error(`the server did not answer a ping within ${interval / 1000} s`);
        this.#drop({ error, pace: "at-once" });
      });
    });
  }

  /** Anything the peer sends proves that it is there. */
  #alive(): void {
    this.#pingTimer?.cancel();
    if (!this.#closed) this.#schedulePing();
  }

  #drop(failure: LinkFailure): void {
    if (this.#closed) return;
    this.abort();
    queueMicrotask(() => this.#events.onClosed(failure));
  }
}

/** Bytes that hold on to nothing else: fields of a message are views, and a part of a slab would keep all of it. */
function alone(data: Buffer): Uint8Array {
  return data.length === data.buffer.byteLength ? data : new Uint8Array(data);
}

function closedByPeer(code: number, reason: Buffer): LinkFailure {
  const detail = reason.length > 0 ? `: ${reason.toString("utf8")}` : "";
  const error = new Error(
    code === 1006 ? "the connection broke" : `the server closed the connection (code ${code}${detail})`,
  );
  return { error, pace: code === closeCode.tryAgainLater ? "backoff" : "at-once" };
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(describeError(error));
}
