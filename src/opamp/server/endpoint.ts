import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { WebSocketServer } from "ws";
import { describeError } from "../../foundation/errors.ts";
import type { Admission, EndpointHandlers, EndpointOptions } from "./contract.ts";
import { checkHeaders, serveExchange } from "./http-exchange.ts";
import { refuse, refuseUpgrade } from "./refuse.ts";
import { type EndpointSettings, fillDefaults } from "./settings.ts";
import { WebSocketConnection } from "./websocket-connection.ts";

export type {
  Admission,
  AgentConnection,
  EndpointHandlers,
  EndpointOptions,
  ServerToAgentInit,
} from "./contract.ts";

type Refusal = Omit<Extract<Admission<unknown>, { admit: false }>, "admit">;

/** Seconds; spread, so that who was refused together does not come back together (SE4). */
const retryAfter = { least: 15, most: 45 };
const stopping = "the server is stopping";
const full = "the server has all the connections it takes";

function unavailable(message: string, random: () => number): Refusal {
  const seconds = retryAfter.least + Math.floor(random() * (retryAfter.most - retryAfter.least + 1));
  return { status: 503, message, headers: { "retry-after": String(seconds) } };
}

/** Serves OpAMP on an existing HTTP server, both transports on one path (ST1, ST2). */
export class OpampEndpoint<C> {
  readonly #settings: EndpointSettings;
  readonly #handlers: EndpointHandlers<C>;
  readonly #upgrader: WebSocketServer;
  readonly #connections = new Set<WebSocketConnection<C>>();
  /** Handshakes and requests under way, so that slow ones count against the limit as well. */
  readonly #underWay = new Set<Promise<void>>();
  #nextId = 1;
  #closing = false;

  constructor(options: EndpointOptions, handlers: EndpointHandlers<C>) {
    this.#settings = fillDefaults(options);
    this.#handlers = handlers;
    this.#upgrader = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      // Counted after inflation, header included (SW2, P3).
      maxPayload: this.#settings.maxMessageBytes,
      perMessageDeflate: this.#settings.compression && {
        // A kept window costs some 300 kB a connection, and one Agent's messages are far apart.
        serverNoContextTakeover: true,
        clientNoContextTakeover: true,
        threshold: 1024,
      },
    });
  }

  /** WebSockets that are open now. */
  get connectionCount(): number {
    return this.#connections.size;
  }

  /** For the server's `request` event. Any other path is answered with 404. */
  handleRequest(request: IncomingMessage, response: ServerResponse): void {
    response.on("error", () => request.destroy());
    this.#track(this.#serveRequest(request, response), () => request.destroy());
  }

  /** For the server's `upgrade` event. Any other path is answered with 404. */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on("error", () => socket.destroy());
    this.#track(this.#serveUpgrade(request, socket, head), () => socket.destroy());
  }

  /**
   * Refuses what is new and closes every WebSocket with `code` (default 1001), one after the other over `spreadMs`
   * (default 0), so that a fleet does not come back all at once; what is still there `closeTimeoutMs` after the last is
   * cut off (SW4, P14). Requests under way get their answer if it comes in that time.
   */
  async close({ code = 1001, spreadMs = 0 }: { code?: number; spreadMs?: number } = {}): Promise<void> {
    this.#closing = true;
    const { clock, closeTimeoutMs } = this.#settings;
    for (const [index, connection] of [...this.#connections].entries()) {
      const close = () => connection.close(code, stopping);
      const delayMs = Math.floor((index / this.#connections.size) * spreadMs);
      if (delayMs === 0) close();
      else clock.setTimer(delayMs, close);
    }
    const ended = [...this.#connections].map((connection) => connection.closed);
    const bound = Promise.withResolvers<void>();
    const timer = clock.setTimer(spreadMs + closeTimeoutMs, bound.resolve);
    await Promise.race([Promise.all([...ended, ...this.#underWay]), bound.promise]);
    timer.cancel();
  }

  async #serveRequest(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { handshakeTimeoutMs, clock } = this.#settings;
    const deny = ({ status, message, headers }: Refusal) =>
      refuse(request, response, status, message, this.#settings, headers);
    const deadline = clock.setTimer(handshakeTimeoutMs, () =>
      response.headersSent
        ? request.destroy()
        : deny({ status: 408, message: "the request took longer than this server waits" }),
    );
    request.once("end", () => deadline.cancel());
    try {
      const wrong = this.#checkPlace(request) ?? checkHeaders(request);
      if (wrong !== undefined) return deny(wrong);
      const admission = await this.#admit(request);
      if (response.headersSent) return;
      if (!admission.admit) return deny(admission);
      const identity = { id: this.#takeId(), context: admission.context };
      await serveExchange(request, response, identity, this.#settings, this.#handlers);
    } finally {
      // Denied requests are read away under a bound of their own.
      deadline.cancel();
    }
  }

  async #serveUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const { handshakeTimeoutMs, clock } = this.#settings;
    const deny = ({ status, message, headers }: Refusal) => refuseUpgrade(socket, status, message, headers);
    const wrong = this.#checkPlace(request);
    if (wrong !== undefined) return deny(wrong);
    const deadline = clock.setTimer(handshakeTimeoutMs, () =>
      deny({ status: 503, message: "admission took longer than this server waits" }),
    );
    const admission = await this.#admit(request);
    deadline.cancel();
    if (socket.destroyed || socket.writableEnded) return;
    if (!admission.admit) return deny(admission);
    // The server may have begun to stop while this one was being admitted.
    if (this.#closing) return deny(unavailable(stopping, this.#settings.random));
    this.#upgrader.handleUpgrade(request, socket, head, (webSocket) =>
      this.#open(
        new WebSocketConnection(
          { id: this.#takeId(), context: admission.context, request },
          webSocket,
          this.#settings,
          this.#handlers,
        ),
      ),
    );
  }

  #open(connection: WebSocketConnection<C>): void {
    this.#connections.add(connection);
    void connection.closed.then(() => this.#connections.delete(connection));
    this.#handlers.onConnected?.(connection);
  }

  /** The path (404), and whether there is room (503, SE4). */
  #checkPlace(request: IncomingMessage): Refusal | undefined {
    const { path, maxConnections, random } = this.#settings;
    if (request.url?.split("?", 1)[0] !== path) {
      return { status: 404, message: `nothing here; OpAMP is served at ${path}` };
    }
    if (this.#closing) return unavailable(stopping, random);
    const hasRoom = this.#connections.size + this.#underWay.size < maxConnections;
    return hasRoom ? undefined : unavailable(full, random);
  }

  async #admit(request: IncomingMessage): Promise<Admission<C>> {
    try {
      return await this.#handlers.admit(request);
    } catch (error) {
      this.#settings.logger.error(
        { event: "opamp_admission_failed", error: describeError(error) },
        "deciding on an agent's request failed; it was refused",
      );
      return { admit: false, status: 500, message: "the server could not decide on this request" };
    }
  }

  #takeId(): number {
    this.#nextId += 1;
    return this.#nextId - 1;
  }

  #track(work: Promise<void>, abort: () => void): void {
    const tracked = work
      .catch((error: unknown) => {
        this.#settings.logger.error(
          { event: "opamp_request_failed", error: describeError(error) },
          "serving an agent's request failed; its connection was cut",
        );
        abort();
      })
      .finally(() => this.#underWay.delete(tracked));
    this.#underWay.add(tracked);
  }
}
