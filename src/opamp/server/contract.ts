import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Clock } from "../../foundation/clock.ts";
import type { Logger } from "../../foundation/logger.ts";
import type { AgentToServer, ServerToAgent, ServerToAgentSchema } from "../messages.ts";

/** What a handler answers with; the endpoint fills `instance_uid` and, when due, capabilities. */
export type ServerToAgentInit = MessageInitShape<typeof ServerToAgentSchema>;

/** Whether a request may speak at all, decided on its headers alone (SE1). `context` rides with the connection. */
export type Admission<C> =
  | { admit: true; context: C }
  | { admit: false; status: number; message: string; headers?: Record<string, string> };

/** One WebSocket, or one request of a plain HTTP Agent. Several Agents may share one WebSocket (SW5). */
export interface AgentConnection<C> {
  /** Unique in this endpoint; a new one for each HTTP request. */
  readonly id: number;
  readonly transport: "websocket" | "http";
  readonly context: C;
  readonly remoteAddress: string;
  readonly headers: IncomingHttpHeaders;
  /**
   * Sends unasked. An empty `instanceUid` is filled with the one the last message named.
   * False when it was not sent: plain HTTP (an HTTP Agent only gets answers), closing, over the size
   * limit (SW3), or the peer reads too slowly, in which case it is cut off.
   */
  send(message: ServerToAgentInit): boolean;
  /** Close frame and handshake, cut off after `closeTimeoutMs` (SW4). Plain HTTP: nothing to do. */
  close(code: number, reason: string): void;
  /** Resolves on the pong; rejects when the connection closes first or is plain HTTP. */
  ping(): Promise<void>;
}

export interface EndpointHandlers<C> {
  /** Called at upgrade or request time, before anything of the body is read. A throw refuses with 500. */
  admit(request: IncomingMessage): Admission<C> | Promise<Admission<C>>;
  /**
   * One message with a usable `instance_uid`; those of one WebSocket come strictly one after the other.
   * An `errorResponse` is sent alone (SS2). A throw is logged and answered with an UNKNOWN error.
   */
  onMessage(
    connection: AgentConnection<C>,
    message: AgentToServer,
  ): ServerToAgentInit | Promise<ServerToAgentInit>;
  /** A WebSocket opened. Not called for plain HTTP, whose connections mean nothing (SH5, SH6). */
  onConnected?(connection: AgentConnection<C>): void;
  /** A message left for an Agent, as an answer or unasked. */
  onSent?(message: ServerToAgent): void;
  /** A WebSocket closed, and all that arrived on it was handled. Not called for plain HTTP. */
  onClosed(connection: AgentConnection<C>, reason: string): void;
}

/** Sizes in bytes, times in milliseconds. */
export interface EndpointOptions {
  /** Default `/v1/opamp`. */
  path?: string;
  /** Bits of {@link ServerCapability}; AcceptsStatus is always added (SS3). */
  capabilities: bigint;
  /** Announced in the first answer of a WebSocket, and over HTTP in answers to full reports (SX2). */
  customCapabilities?: readonly string[];
  /** Of a message each way, uncompressed. Default 64 MiB (SW2, SW3, SH3, SH4). */
  maxMessageBytes?: number;
  /**
   * Of one WebSocket, on average; a large message counts as several. More wait, and who goes on sending more is told
   * UNAVAILABLE (SE3). Default 1,000: the heartbeats of 30,000 Agents behind one gateway.
   */
  maxMessagesPerSecond?: number;
  /** WebSockets, requests and handshakes under way together; more get 503. Default 20,000. */
  maxConnections?: number;
  /** Sent but not yet taken by the peer; beyond it the peer is cut off. Default 16 MiB. */
  maxBufferedBytes?: number;
  /** Whether to agree to permessage-deflate. Default true; false saves memory where the network is free. */
  compression?: boolean;
  /** Between closing a WebSocket and cutting it off. Default 5 s. */
  closeTimeoutMs?: number;
  /** For admission, a whole request body, taking its answer, and the first message of a WebSocket. Default 30 s. */
  handshakeTimeoutMs?: number;
  /** A WebSocket that was silent this long is pinged, and cut off when silent as long again. Default 60 s; 0: never. */
  idleTimeoutMs?: number;
  logger: Logger;
  clock: Clock;
  /** In [0, 1). Default Math.random. */
  random?: () => number;
}
