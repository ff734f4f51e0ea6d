import { once } from "node:events";
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import { buffer } from "node:stream/consumers";
import { type RawData, WebSocket, WebSocketServer } from "ws";
import { hasBits, ServerToAgentFlag } from "../../src/opamp/bits.ts";
import { decodeBody, decodeFrame } from "../../src/opamp/framing.ts";
import { type AgentToServer, AgentToServerSchema, ServerToAgentSchema } from "../../src/opamp/messages.ts";

/** Stands between an agent and a server on this machine and loses one message on request. */
export class LossyRelay implements AsyncDisposable {
  /** Answers of the server that asked for the full state. */
  fullStateRequests = 0;
  readonly #upstreamPort: number;
  readonly #server: Server;
  readonly #webSockets = new WebSocketServer({ noServer: true });
  #loss: { match: (message: AgentToServer) => boolean; lost: () => void } | undefined;

  private constructor(upstreamPort: number) {
    this.#upstreamPort = upstreamPort;
    this.#server = createServer((incoming, response) => {
      this.#relayRequest(incoming, response).catch(() => response.destroy());
    });
    this.#server.on("upgrade", (incoming, socket, head) =>
      this.#webSockets.handleUpgrade(incoming, socket, head, (agent) =>
        this.#relayWebSocket(agent, incoming),
      ),
    );
  }

  static async start(upstreamPort: number): Promise<LossyRelay> {
    const relay = new LossyRelay(upstreamPort);
    relay.#server.listen(0, "127.0.0.1");
    await once(relay.#server, "listening");
    return relay;
  }

  endpoint(scheme: "ws" | "http"): string {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("the relay is not listening");
    return `${scheme}://127.0.0.1:${address.port}/v1/opamp`;
  }

  /** Loses the next message of the agent that matches; resolves when it is lost. */
  lose(match: (message: AgentToServer) => boolean): Promise<void> {
    return new Promise((resolve) => {
      this.#loss = { match, lost: resolve };
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const agent of this.#webSockets.clients) agent.terminate();
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }

  #isLost(message: AgentToServer): boolean {
    const loss = this.#loss;
    if (loss === undefined || !loss.match(message)) return false;
    this.#loss = undefined;
    loss.lost();
    return true;
  }

  #count(flags: bigint): void {
    if (hasBits(flags, ServerToAgentFlag.ReportFullState)) this.fullStateRequests += 1;
  }

  /** A lost request is answered 500. */
  async #relayRequest(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await buffer(incoming);
    if (this.#isLost(decodeBody(AgentToServerSchema, body))) {
      response.writeHead(500).end();
      return;
    }
    const { "accept-encoding": _, ...headers } = incoming.headers;
    const outgoing = request({
      host: "127.0.0.1",
      port: this.#upstreamPort,
      path: incoming.url,
      method: incoming.method,
      headers,
    });
    outgoing.end(body);
    const [answer] = (await once(outgoing, "response")) as [IncomingMessage];
    const answerBody = await buffer(answer);
    this.#count(decodeBody(ServerToAgentSchema, answerBody).flags);
    response.writeHead(answer.statusCode ?? 502, answer.headers).end(answerBody);
  }

  #relayWebSocket(agent: WebSocket, { url = "/" }: IncomingMessage): void {
    const server = new WebSocket(`ws://127.0.0.1:${this.#upstreamPort}${url}`);
    const early: RawData[] = [];
    agent.on("message", (data) => {
      if (this.#isLost(decodeFrame(AgentToServerSchema, data as Buffer))) return;
      if (server.readyState === WebSocket.CONNECTING) early.push(data);
      else server.send(data);
    });
    server.on("open", () => {
      for (const data of early) server.send(data);
    });
    server.on("message", (data) => {
      this.#count(decodeFrame(ServerToAgentSchema, data as Buffer).flags);
      agent.send(data);
    });
    agent.on("close", () => server.close());
    server.on("close", () => agent.close());
    server.on("error", () => agent.terminate());
    agent.on("error", () => server.terminate());
  }
}
