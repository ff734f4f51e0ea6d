import { once } from "node:events";
import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import type { SecureContextOptions } from "node:tls";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { WebSocket } from "ws";
import { AgentCapability } from "../../src/opamp/bits.ts";
import { decodeBody, decodeFrame, encodeFrame } from "../../src/opamp/framing.ts";
import { newInstanceUid } from "../../src/opamp/instance-uid.ts";
import { AgentToServerSchema, type ServerToAgent, ServerToAgentSchema } from "../../src/opamp/messages.ts";

export type Report = Exclude<MessageInitShape<typeof AgentToServerSchema>, { $typeName: unknown }>;

/** What a usual Agent can do. */
export const usualCapabilities =
  AgentCapability.ReportsStatus |
  AgentCapability.AcceptsRemoteConfig |
  AgentCapability.ReportsEffectiveConfig |
  AgentCapability.ReportsRemoteConfig |
  AgentCapability.ReportsHealth;

export interface RawAgentOptions {
  uid?: Uint8Array;
  capabilities?: bigint;
  /** Identifying attributes. */
  attributes?: Record<string, string>;
  tls?: Pick<SecureContextOptions, "ca" | "cert" | "key">;
  /** Of the upgrade, or of each request. */
  headers?: Record<string, string>;
}

/** An Agent without a mind of its own: it numbers its messages and says what the test makes it say. */
class Speaker {
  uid: Uint8Array;
  sequence = 0n;
  readonly capabilities: bigint;
  readonly attributes: Record<string, string>;

  constructor({ uid, capabilities, attributes }: RawAgentOptions) {
    this.uid = uid ?? newInstanceUid(Date.now());
    this.capabilities = capabilities ?? usualCapabilities;
    this.attributes = attributes ?? { "service.name": "raw-agent", "service.version": "1.2.3" };
  }

  /** The next message in sequence. */
  next(report: Report) {
    const message = create(AgentToServerSchema, {
      instanceUid: this.uid,
      sequenceNum: this.sequence,
      capabilities: this.capabilities,
      ...report,
    });
    this.sequence = message.sequenceNum + 1n;
    return message;
  }

  /** Everything a full report has to have. */
  full(report: Report): Report {
    const has = (bit: bigint) => (this.capabilities & bit) !== 0n;
    return {
      agentDescription: {
        identifyingAttributes: Object.entries(this.attributes).map(([key, value]) => ({
          key,
          value: { value: { case: "stringValue" as const, value } },
        })),
      },
      ...(has(AgentCapability.ReportsHealth) ? { health: { healthy: true, status: "StatusOK" } } : {}),
      ...(has(AgentCapability.ReportsEffectiveConfig)
        ? { effectiveConfig: { configMap: { configMap: {} } } }
        : {}),
      ...(has(AgentCapability.ReportsRemoteConfig) ? { remoteConfigStatus: {} } : {}),
      ...report,
    };
  }
}

/** A WebSocket Agent. */
export class RawWebSocketAgent {
  readonly speaker: Speaker;
  readonly socket: WebSocket;
  readonly #inbox: ServerToAgent[] = [];
  readonly #waiting: { resolve: (message: ServerToAgent) => void; reject: (error: Error) => void }[] = [];
  /** Code and reason of the close, once it happened. */
  readonly closed: Promise<{ code: number; reason: string }>;

  /** Connects; nothing is sent yet. */
  static async connect(url: URL, options: RawAgentOptions = {}): Promise<RawWebSocketAgent> {
    const agent = new RawWebSocketAgent(url, options);
    await once(agent.socket, "open");
    return agent;
  }

  /** Connects and says everything in a first full report, whose answer is consumed. */
  static async join(url: URL, options: RawAgentOptions = {}, report: Report = {}) {
    const agent = await RawWebSocketAgent.connect(url, options);
    const answer = await agent.exchange(agent.speaker.full(report));
    return { agent, answer };
  }

  private constructor(url: URL, options: RawAgentOptions) {
    this.speaker = new Speaker(options);
    this.socket = new WebSocket(url, {
      ...options.tls,
      ...(options.headers && { headers: options.headers }),
    });
    const closed = Promise.withResolvers<{ code: number; reason: string }>();
    this.closed = closed.promise;
    this.socket.on("message", (data: Buffer) => {
      const message = decodeFrame(ServerToAgentSchema, new Uint8Array(data));
      const waiting = this.#waiting.shift();
      if (waiting === undefined) this.#inbox.push(message);
      else waiting.resolve(message);
    });
    this.socket.on("close", (code, reason) => {
      closed.resolve({ code, reason: reason.toString() });
      for (const { reject } of this.#waiting) reject(new Error(`closed ${code} ${reason.toString()}`));
    });
  }

  send(report: Report): void {
    this.socket.send(encodeFrame(AgentToServerSchema, this.speaker.next(report)));
  }

  /** The next message of the server. */
  receive(): Promise<ServerToAgent> {
    const message = this.#inbox.shift();
    if (message !== undefined) return Promise.resolve(message);
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  /** Messages that came and were not received yet. */
  get unread(): number {
    return this.#inbox.length;
  }

  exchange(report: Report): Promise<ServerToAgent> {
    const answer = this.receive();
    this.send(report);
    return answer;
  }

  /** Closes without a good-bye. */
  async close(): Promise<void> {
    this.socket.close();
    await this.closed;
  }
}

/** A plain HTTP Agent. */
export class RawHttpAgent {
  readonly speaker: Speaker;
  readonly #url: URL;
  readonly #options: RawAgentOptions;

  /** Takes the WebSocket URL of the same place. */
  constructor(url: URL, options: RawAgentOptions = {}) {
    this.speaker = new Speaker(options);
    this.#options = options;
    this.#url = new URL(url.href.replace(/^ws/, "http"));
  }

  async exchange(report: Report): Promise<ServerToAgent> {
    const body = toBinary(AgentToServerSchema, this.speaker.next(report));
    const answer = await fetchBytes(this.#url, {
      method: "POST",
      headers: { "content-type": "application/x-protobuf", ...this.#options.headers },
      body,
      ...this.#options.tls,
    });
    if (answer.status !== 200) throw new Error(`${answer.status}: ${answer.body.toString()}`);
    return decodeBody(ServerToAgentSchema, new Uint8Array(answer.body));
  }
}

export interface FetchOptions extends Pick<SecureContextOptions, "ca" | "cert" | "key" | "maxVersion"> {
  method?: string;
  headers?: Record<string, string>;
  body?: string | Uint8Array;
}

/** One request on a connection of its own, so that no pool outlives a test. */
export async function fetchBytes(url: URL | string, options: FetchOptions = {}) {
  const { body, ...rest } = options;
  const target = new URL(url);
  const start = target.protocol === "https:" ? httpsRequest : httpRequest;
  const request = start(target, { ...rest, agent: false });
  request.end(body);
  const [response] = (await once(request, "response")) as [import("node:http").IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
  return { status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) };
}

/** One request whose answer is JSON. */
export async function fetchJson<T = Record<string, unknown>>(url: URL | string, options: FetchOptions = {}) {
  const answer = await fetchBytes(url, options);
  return { ...answer, json: JSON.parse(answer.body.toString()) as T };
}
