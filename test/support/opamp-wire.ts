import {
  createServer,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  request,
  type Server,
} from "node:http";
import type { AddressInfo } from "node:net";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { WebSocket } from "ws";
import { decodeFrame, encodeFrame } from "../../src/opamp/framing.ts";
import { AgentToServerSchema, type ServerToAgent, ServerToAgentSchema } from "../../src/opamp/messages.ts";
import type { OpampEndpoint } from "../../src/opamp/server/endpoint.ts";

export type AgentToServerInit = MessageInitShape<typeof AgentToServerSchema>;

/** 16 bytes that are all `seed`. */
export function uidOf(seed: number): Uint8Array {
  return new Uint8Array(16).fill(seed);
}

export function bodyOf(init: AgentToServerInit): Uint8Array {
  return toBinary(AgentToServerSchema, create(AgentToServerSchema, init));
}

export function frameOf(init: AgentToServerInit): Uint8Array {
  return encodeFrame(AgentToServerSchema, create(AgentToServerSchema, init));
}

/** An HTTP server on a free loopback port that serves an endpoint. */
export async function serveEndpoint<C>(
  endpoint: OpampEndpoint<C>,
): Promise<{ server: Server; port: number; stop: () => Promise<void> }> {
  const server = createServer((incoming, response) => endpoint.handleRequest(incoming, response));
  server.on("upgrade", (incoming, socket, head) => endpoint.handleUpgrade(incoming, socket, head));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const stop = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return { server, port: (server.address() as AddressInfo).port, stop };
}

/** A bare WebSocket agent: what it sends is up to the test, what comes is decoded and queued. */
export class WireAgent {
  readonly socket: WebSocket;
  readonly closed: Promise<{ code: number; reason: string }>;
  readonly #arrived: ServerToAgent[] = [];
  readonly #waiting: ((message: ServerToAgent) => void)[] = [];

  constructor(socket: WebSocket) {
    this.socket = socket;
    this.closed = new Promise((resolve) => {
      socket.on("close", (code, reason) => resolve({ code, reason: reason.toString() }));
    });
    socket.on("error", () => undefined);
    socket.on("message", (data) => {
      const message = decodeFrame(ServerToAgentSchema, new Uint8Array(data as Buffer));
      const waiting = this.#waiting.shift();
      if (waiting === undefined) this.#arrived.push(message);
      else waiting(message);
    });
  }

  /** Resolves when open; rejects with `status N: body` when refused. */
  static open(
    port: number,
    options: { path?: string; headers?: Record<string, string>; deflate?: boolean } = {},
  ): Promise<WireAgent> {
    const { path = "/v1/opamp", headers = {}, deflate = false } = options;
    const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, { headers, perMessageDeflate: deflate });
    const agent = new WireAgent(socket);
    return new Promise((resolve, reject) => {
      socket.on("open", () => resolve(agent));
      socket.on("error", reject);
      socket.on("unexpected-response", (_request, response) => {
        let body = "";
        response.on("data", (chunk) => {
          body += chunk;
        });
        response.on("end", () => {
          reject(new Error(`status ${response.statusCode}: ${body.trim()}`));
          socket.terminate();
        });
      });
    });
  }

  send(init: AgentToServerInit): void {
    this.socket.send(frameOf(init));
  }

  /** The next message that came, or comes. */
  next(): Promise<ServerToAgent> {
    const message = this.#arrived.shift();
    if (message !== undefined) return Promise.resolve(message);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  ask(init: AgentToServerInit): Promise<ServerToAgent> {
    this.send(init);
    return this.next();
  }

  async end(): Promise<void> {
    this.socket.terminate();
    await this.closed;
  }
}

export interface WireResponse {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

/** One HTTP request on a connection of its own. */
export function exchange(
  port: number,
  body: Uint8Array | undefined,
  options: { method?: string; path?: string; headers?: OutgoingHttpHeaders } = {},
): Promise<WireResponse> {
  const { method = "POST", path = "/v1/opamp", headers = {} } = options;
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        host: "127.0.0.1",
        port,
        method,
        path,
        agent: false,
        headers: { "content-type": "application/x-protobuf", ...headers },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(chunks),
          }),
        );
      },
    );
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

export function answerOf(response: WireResponse): ServerToAgent {
  return fromBinary(ServerToAgentSchema, new Uint8Array(response.body));
}
