import { createHash } from "node:crypto";
import { once } from "node:events";
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import { createServer as createTlsServer, type ServerOptions } from "node:https";
import type { AddressInfo } from "node:net";
import { create } from "@bufbuild/protobuf";
import { systemClock } from "../../src/foundation/clock.ts";
import { silentLogger } from "../../src/foundation/logger.ts";
import { ServerCapability } from "../../src/opamp/bits.ts";
import {
  type AgentRemoteConfig,
  AgentRemoteConfigSchema,
  type AgentToServer,
  type RemoteConfigStatus,
  RemoteConfigStatuses,
} from "../../src/opamp/messages.ts";
import {
  type AgentState,
  answerFlags,
  mergeReport,
  type ReportedParts,
} from "../../src/opamp/server/agent-state.ts";
import {
  type AgentConnection,
  OpampEndpoint,
  type ServerToAgentInit,
} from "../../src/opamp/server/endpoint.ts";

/** What the server says, but for the instance UID. */
export type ServerSays = Omit<Extract<ServerToAgentInit, { $typeName?: never }>, "instanceUid">;

const shownMessages = 15;
const { RemoteConfigStatuses_APPLIED: applied, RemoteConfigStatuses_FAILED: failed } = RemoteConfigStatuses;

/** One message as it came. */
export interface Recorded {
  readonly message: AgentToServer;
  /** Counts WebSockets and HTTP requests. */
  readonly connection: number;
  readonly headers: IncomingHttpHeaders;
}

export interface RecordingServerOptions {
  /** 0: any free one. */
  port?: number;
  customCapabilities?: string[];
  /** Serves wss and https. */
  tls?: ServerOptions;
  /** Whether it announces that it issues certificates; default true. */
  issues?: boolean;
  /** The HTTP status to refuse a connection or request with; undefined lets it in. */
  refuse?: (request: IncomingMessage) => number | undefined;
}

/**
 * A correct OpAMP server for one agent, both transports on one port. It keeps every message in order,
 * asks for what it missed, and otherwise says only what the test has it say.
 */
export class RecordingOpampServer implements AsyncDisposable {
  readonly received: Recorded[] = [];
  /** Added to the answer of each message. */
  answer: (recorded: Recorded) => ServerSays = () => ({});
  /** Put together from all messages. */
  state: AgentState | undefined;
  readonly #endpoint: OpampEndpoint<undefined>;
  readonly #server: Server;
  readonly #open = new Set<AgentConnection<undefined>>();
  readonly #waiting = new Set<() => void>();
  /** Pushed while no WebSocket was open; goes with the next answers, one each. */
  readonly #unsent: ServerSays[] = [];

  static async start({ port = 0, ...options }: RecordingServerOptions = {}): Promise<RecordingOpampServer> {
    const server = new RecordingOpampServer(options);
    server.#server.listen(port, "127.0.0.1");
    await once(server.#server, "listening");
    return server;
  }

  private constructor({ customCapabilities = [], tls, refuse, issues = true }: RecordingServerOptions) {
    this.#endpoint = new OpampEndpoint<undefined>(
      {
        capabilities:
          ServerCapability.OffersRemoteConfig |
          ServerCapability.AcceptsEffectiveConfig |
          ServerCapability.OffersConnectionSettings |
          (issues ? ServerCapability.AcceptsConnectionSettingsRequest : 0n) |
          ServerCapability.OffersPackages |
          ServerCapability.AcceptsPackagesStatus,
        customCapabilities,
        closeTimeoutMs: 200,
        clock: systemClock,
        logger: silentLogger,
      },
      {
        admit: (request) => {
          const status = refuse?.(request);
          return status === undefined
            ? { admit: true, context: undefined }
            : { admit: false, status, message: "the test says no" };
        },
        onConnected: (connection) => this.#open.add(connection),
        onClosed: (connection) => {
          this.#open.delete(connection);
          this.#notify();
        },
        onMessage: (connection, message) => this.#take(connection, message),
      },
    );
    const onRequest = (request: IncomingMessage, response: ServerResponse) =>
      this.#endpoint.handleRequest(request, response);
    this.#server = tls === undefined ? createServer(onRequest) : createTlsServer(tls, onRequest);
    this.#server.on("upgrade", (request: IncomingMessage, socket, head) =>
      this.#endpoint.handleUpgrade(request, socket, head),
    );
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** WebSockets that are open now. */
  get openConnections(): number {
    return this.#open.size;
  }

  /** How many messages have come; what is looked for from here on is new. */
  get mark(): number {
    return this.received.length;
  }

  /** Says something unasked: on the open WebSocket, or with the next answer. */
  push(message: ServerSays): void {
    const [connection] = this.#open;
    const instanceUid = this.state?.instanceUid ?? new Uint8Array();
    if (connection?.send({ instanceUid, ...message }) !== true) this.#unsent.push(message);
  }

  /** Offers a configuration, and gives it back. */
  offer(config: AgentRemoteConfig): AgentRemoteConfig {
    this.push({ remoteConfig: config });
    return config;
  }

  /** Resolves to what `look` gives; it looks again whenever something happens here. */
  async until<T>(
    what: string,
    look: () => T | undefined | false,
    timeoutMs = 20_000,
  ): Promise<Exclude<T, undefined | false>> {
    const { promise, resolve, reject } = Promise.withResolvers<Exclude<T, undefined | false>>();
    const check = () => {
      const found = look();
      if (found !== undefined && found !== false) resolve(found as Exclude<T, undefined | false>);
    };
    const timer = setTimeout(() => reject(new Error(`${this.#story(what, timeoutMs)}`)), timeoutMs);
    this.#waiting.add(check);
    try {
      check();
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(check);
    }
  }

  /** The first message from `from` on that `matches`. */
  message(
    what: string,
    matches: (message: AgentToServer) => boolean,
    from = 0,
    timeoutMs?: number,
  ): Promise<AgentToServer> {
    const look = () => this.received.slice(from).find(({ message }) => matches(message))?.message;
    return this.until(what, look, timeoutMs);
  }

  /** The first report of a part from `from` on that `matches`. */
  async reported<K extends keyof ReportedParts>(
    part: K,
    matches: (value: NonNullable<ReportedParts[K]>) => boolean = () => true,
    from = 0,
    timeoutMs?: number,
  ): Promise<NonNullable<ReportedParts[K]>> {
    const fits = (message: AgentToServer) => {
      const value = message[part] as ReportedParts[K];
      return value !== undefined && matches(value);
    };
    const message = await this.message(`report of ${part} ${matches.toString()}`, fits, from, timeoutMs);
    return message[part] as NonNullable<ReportedParts[K]>;
  }

  /** Resolves to APPLIED or FAILED for this configuration, as first said from `from` on. */
  verdict(config: AgentRemoteConfig, from = 0, timeoutMs?: number): Promise<RemoteConfigStatus> {
    const isVerdict = ({ status, lastRemoteConfigHash }: RemoteConfigStatus) =>
      sameHash(lastRemoteConfigHash, config.configHash) && (status === applied || status === failed);
    return this.reported("remoteConfigStatus", isVerdict, from, timeoutMs);
  }

  /** The statuses that were said of this configuration, without repetitions. */
  statusesOf(config: AgentRemoteConfig, from = 0): string[] {
    const statuses = this.received.slice(from).flatMap(({ message }) => {
      const { remoteConfigStatus } = message;
      if (!sameHash(remoteConfigStatus?.lastRemoteConfigHash, config.configHash)) return [];
      return remoteConfigStatus === undefined ? [] : [statusName(remoteConfigStatus)];
    });
    return statuses.filter((status, index) => status !== statuses[index - 1]);
  }

  /** The effective configuration as it is known now. */
  get effectiveText(): string {
    return effectiveText(this.state);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#endpoint.close();
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  #take(connection: AgentConnection<undefined>, message: AgentToServer): ServerSays {
    const recorded = { message, connection: connection.id, headers: connection.headers };
    this.received.push(recorded);
    const merged = mergeReport(this.state, message);
    this.state = merged.state;
    const answer = { flags: answerFlags(merged), ...this.#unsent.shift(), ...this.answer(recorded) };
    this.#notify();
    return answer;
  }

  #notify(): void {
    for (const check of this.#waiting) check();
  }

  #story(what: string, timeoutMs: number): string {
    const lines = this.received.slice(-shownMessages).map(({ message, connection }) => {
      const { health, remoteConfigStatus, sequenceNum } = message;
      const parts = Object.keys(message).filter((key) => message[key as keyof AgentToServer] !== undefined);
      const said = [
        health && `healthy=${health.healthy} ${health.status} ${health.lastError}`,
        remoteConfigStatus && `${statusName(remoteConfigStatus)} ${remoteConfigStatus.errorMessage}`,
      ];
      return `  ${connection}/${sequenceNum} ${parts.slice(4).join(",")} ${said.filter(Boolean).join("; ")}`;
    });
    return [`not within ${timeoutMs} ms: ${what}; the last messages:`, ...lines].join("\n");
  }
}

/** A remote configuration of these files (name to YAML text, or to what JSON makes of it), hashed by content. */
export function remoteConfig(files: Record<string, string | object>): AgentRemoteConfig {
  const texts = Object.entries(files).map(
    ([name, file]) => [name, typeof file === "string" ? file : JSON.stringify(file, undefined, 2)] as const,
  );
  const configMap = Object.fromEntries(
    texts.map(([name, text]) => [name, { body: new TextEncoder().encode(text), contentType: "text/yaml" }]),
  );
  const configHash = new Uint8Array(createHash("sha256").update(JSON.stringify(texts)).digest());
  return create(AgentRemoteConfigSchema, { config: { configMap }, configHash });
}

export function hashOf({ configHash }: AgentRemoteConfig): string {
  return Buffer.from(configHash).toString("hex");
}

/** Of the one entry by which a supervisor reports its Collector's effective configuration. */
export function effectiveText(
  parts: Pick<AgentToServer, "effectiveConfig"> | ReportedParts | undefined,
): string {
  const body = parts?.effectiveConfig?.configMap?.configMap[""]?.body;
  return new TextDecoder().decode(body);
}

function statusName({ status }: RemoteConfigStatus): string {
  return RemoteConfigStatuses[status].replace("RemoteConfigStatuses_", "");
}

function sameHash(a: Uint8Array | undefined, b: Uint8Array): boolean {
  return a !== undefined && Buffer.compare(a, b) === 0;
}
