import { once } from "node:events";
import {
  createServer as createHttpServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import { createServer as createHttpsServer, type ServerOptions } from "node:https";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { TLSSocket } from "node:tls";
import { gunzipSync, gzipSync } from "node:zlib";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { type WebSocket, WebSocketServer } from "ws";
import { decodeBody, decodeFrame, encodeFrame } from "../../src/opamp/framing.ts";
import { type AgentToServer, AgentToServerSchema, ServerToAgentSchema } from "../../src/opamp/messages.ts";

type Init = MessageInitShape<typeof ServerToAgentSchema>;

/** One message as it arrived. */
export interface Received {
  message: AgentToServer;
  /** Counts WebSocket connections, or HTTP requests, from 1. */
  connection: number;
  headers: IncomingHttpHeaders;
  /** Bytes on the wire: of the HTTP body before it was inflated, or of the WebSocket frame. */
  size: number;
  /** Common name of the certificate that was shown. */
  peer: string | undefined;
}

/** What the server does about a message. `message` fills in uid and capabilities. */
export type Reply =
  | { message: Init; gzip?: boolean }
  | { bytes: Uint8Array; headers?: Record<string, string> }
  | { text: string }
  | { status: number; headers?: Record<string, string> }
  | "silence"
  | "drop";

export interface ScriptedServerOptions {
  tls?: ServerOptions;
  /** Whether permessage-deflate is accepted. */
  deflate?: boolean;
  /** Whether pings are answered. */
  autoPong?: boolean;
}

/** A server that does what it is told, also what a correct one never would. Default: an empty answer to everything. */
export class ScriptedOpampServer {
  /** Decides about each message. */
  reply: (received: Received) => Reply = () => ({ message: {} });
  /** Answers an upgrade with this status instead of accepting it. */
  refuseUpgrade: (() => { status: number; headers?: Record<string, string> } | undefined) | undefined;
  /** Called when a WebSocket was accepted. */
  onAccept: ((socket: WebSocket) => void) | undefined;
  readonly received: Received[] = [];
  readonly upgradeHeaders: IncomingHttpHeaders[] = [];
  readonly closes: number[] = [];
  connections = 0;
  readonly #server: Server;
  readonly #webSockets: WebSocketServer;
  readonly #secure: boolean;
  readonly #waiters: Array<() => void> = [];
  #read = 0;

  private constructor(options: ScriptedServerOptions) {
    this.#secure = options.tls !== undefined;
    const onRequest = (request: IncomingMessage, response: ServerResponse) =>
      void this.#request(request, response);
    this.#server =
      options.tls === undefined ? createHttpServer(onRequest) : createHttpsServer(options.tls, onRequest);
    this.#webSockets = new WebSocketServer({
      noServer: true,
      perMessageDeflate: options.deflate === true ? { threshold: 0 } : false,
      autoPong: options.autoPong ?? true,
    });
    this.#server.on("upgrade", (request: IncomingMessage, socket, head) => {
      this.upgradeHeaders.push(request.headers);
      const refusal = this.refuseUpgrade?.();
      if (refusal !== undefined) {
        socket.on("error", () => undefined);
        const lines = Object.entries(refusal.headers ?? {}).map(([name, value]) => `${name}: ${value}\r\n`);
        socket.end(`HTTP/1.1 ${refusal.status} No\r\n${lines.join("")}Content-Length: 0\r\n\r\n`);
        this.#notify();
        return;
      }
      this.#webSockets.handleUpgrade(request, socket, head, (ws) => this.#accept(ws, request));
    });
  }

  static async start(options: ScriptedServerOptions = {}): Promise<ScriptedOpampServer> {
    const server = new ScriptedOpampServer(options);
    server.#server.listen(0, "127.0.0.1");
    await once(server.#server, "listening");
    return server;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  url(transport: "ws" | "http"): URL {
    return new URL(`${transport}${this.#secure ? "s" : ""}://127.0.0.1:${this.port}/v1/opamp`);
  }

  /** The next message that was not taken yet; waits for it. */
  async next(): Promise<Received> {
    await this.until(() => this.#read < this.received.length);
    const received = this.received[this.#read];
    this.#read += 1;
    if (received === undefined) throw new Error("unreachable");
    return received;
  }

  /** Messages that arrived and were not taken by {@link next}. */
  get unread(): Received[] {
    return this.received.slice(this.#read);
  }

  /** As {@link unread}, and takes them. */
  takeUnread(): Received[] {
    const { unread } = this;
    this.#read = this.received.length;
    return unread;
  }

  /** Resolves when the condition holds; it is looked at whenever something happened here. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#waiters.push(resolve));
  }

  /** Sends a message to every WebSocket without being asked. */
  push(message: Init): void {
    for (const ws of this.#webSockets.clients)
      ws.send(encodeFrame(ServerToAgentSchema, create(ServerToAgentSchema, message)));
  }

  /** Sends anything at all to every WebSocket. */
  pushRaw(data: Uint8Array | string): void {
    for (const ws of this.#webSockets.clients) ws.send(data);
  }

  /** Cuts every connection. */
  dropAll(): void {
    for (const ws of this.#webSockets.clients) ws.terminate();
    this.#server.closeAllConnections();
  }

  get webSockets(): Set<WebSocket> {
    return this.#webSockets.clients;
  }

  async stop(): Promise<void> {
    this.dropAll();
    this.#server.close();
    await once(this.#server, "close");
  }

  #accept(ws: WebSocket, request: IncomingMessage): void {
    this.connections += 1;
    const connection = this.connections;
    ws.on("message", (data: Buffer) => {
      const message = decodeFrame(AgentToServerSchema, new Uint8Array(data));
      const received = {
        message,
        connection,
        headers: request.headers,
        size: data.length,
        peer: peerOf(request),
      };
      this.#answerFrame(ws, received);
      this.#took(received);
    });
    ws.on("error", () => undefined);
    ws.on("close", (code) => {
      this.closes.push(code);
      this.#notify();
    });
    this.onAccept?.(ws);
    this.#notify();
  }

  #answerFrame(ws: WebSocket, received: Received): void {
    const reply = this.reply(received);
    if (reply === "silence") return;
    if (reply === "drop") ws.terminate();
    else if ("text" in reply) ws.send(reply.text);
    else if ("bytes" in reply) ws.send(reply.bytes);
    else if ("status" in reply) throw new Error("a WebSocket message cannot be answered by a status");
    else ws.send(encodeFrame(ServerToAgentSchema, answer(received, reply.message)));
  }

  async #request(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await buffer(request).catch(() => undefined);
    if (body === undefined) return;
    this.connections += 1;
    const plain = request.headers["content-encoding"] === "gzip" ? gunzipSync(body) : body;
    const message = decodeBody(AgentToServerSchema, new Uint8Array(plain));
    const received = {
      message,
      connection: this.connections,
      headers: request.headers,
      size: body.length,
      peer: peerOf(request),
    };
    this.#answerRequest(response, received);
    this.#took(received);
  }

  #answerRequest(response: ServerResponse, received: Received): void {
    const reply = this.reply(received);
    if (reply === "silence") return;
    if (reply === "drop") response.destroy();
    else if ("text" in reply) response.end(reply.text);
    else if ("status" in reply) response.writeHead(reply.status, reply.headers).end("an error page");
    else if ("bytes" in reply) response.writeHead(200, reply.headers).end(reply.bytes);
    else {
      const plain = toBinary(ServerToAgentSchema, answer(received, reply.message));
      const type = { "content-type": "application/x-protobuf" };
      if (reply.gzip === true)
        response.writeHead(200, { ...type, "content-encoding": "gzip" }).end(gzipSync(plain));
      else response.writeHead(200, type).end(plain);
    }
  }

  #took(received: Received): void {
    this.received.push(received);
    this.#notify();
  }

  #notify(): void {
    for (const wake of this.#waiters.splice(0)) wake();
  }
}

function peerOf({ socket }: IncomingMessage): string | undefined {
  const name = socket instanceof TLSSocket ? socket.getPeerCertificate().subject?.CN : undefined;
  return typeof name === "string" ? name : undefined;
}

function answer(received: Received, init: Init) {
  return create(ServerToAgentSchema, { instanceUid: received.message.instanceUid, ...init } as Init);
}
