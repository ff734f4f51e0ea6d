import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { clone, type MessageInitShape } from "@bufbuild/protobuf";
import type { Clock, Timer } from "../../foundation/clock.ts";
import { describeError, errorCode } from "../../foundation/errors.ts";
import type { Logger } from "../../foundation/logger.ts";
import { ServerCapability, ServerToAgentFlag } from "../../opamp/bits.ts";
import {
  type AgentDescription,
  type AgentToServer,
  type AvailableComponents,
  type ComponentHealth,
  type CustomCapabilities,
  type CustomMessage,
  CustomMessageSchema,
  type EffectiveConfig,
} from "../../opamp/messages.ts";
import {
  type AgentState,
  answerFlags,
  mergeReport,
  type ReportedParts,
} from "../../opamp/server/agent-state.ts";
import { type AgentConnection, OpampEndpoint, type ServerToAgentInit } from "../../opamp/server/endpoint.ts";
import { carriesToken } from "./local-link-token.ts";

/** Request header of the extension's configuration by which a link tells which change it belongs to. */
export const markHeader = "X-OpAMP-Supervisor-Change";

/** One accepted handshake. Ids only grow, so a newer link has a greater one. */
export interface LinkIdentity {
  readonly id: number;
  /** The value of {@link markHeader} in the handshake; empty when there was none. */
  readonly mark: string;
}

/** What the Collector has reported over one link. Absent: not yet, or, in a change, as before. */
export interface CollectorReport {
  readonly mark: string;
  readonly description?: AgentDescription;
  readonly health?: ComponentHealth;
  readonly effectiveConfig?: EffectiveConfig;
  readonly availableComponents?: AvailableComponents;
  readonly customCapabilities?: CustomCapabilities;
}

/** Called in the order in which things happen; they should return fast, for the extension waits (AT3). */
export interface LocalLinkHandlers {
  onLink(link: LinkIdentity): void;
  /** Only the parts that differ from what this link reported before; never empty. */
  onReport(link: LinkIdentity, changed: CollectorReport): void;
  onCustomMessage(link: LinkIdentity, message: CustomMessage): void;
  onUnlink(link: LinkIdentity, reason: string): void;
}

export interface LocalLinkOptions {
  /** 0: any free port. */
  port: number;
  /** Secret that the extension has to send as `Authorization: Bearer <token>`. */
  token: string;
  logger: Logger;
  clock: Clock;
}

interface OpenLink {
  readonly identity: LinkIdentity;
  readonly connection: AgentConnection<string>;
  state: AgentState | undefined;
}

/**
 * The OpAMP server on loopback that the Collector's `opamp` extension dials. The newest link with the right
 * token is the Collector's: over a reload the new dial may come before the old close is seen.
 */
export class LocalLink {
  readonly #options: LocalLinkOptions;
  readonly #handlers: LocalLinkHandlers;
  readonly #endpoint: OpampEndpoint<string>;
  readonly #server: Server;
  #link: OpenLink | undefined;

  constructor(options: LocalLinkOptions, handlers: LocalLinkHandlers) {
    this.#options = options;
    this.#handlers = handlers;
    const { logger, clock, token } = options;
    this.#endpoint = new OpampEndpoint<string>(
      {
        capabilities: ServerCapability.AcceptsEffectiveConfig,
        compression: false,
        closeTimeoutMs: 1_000,
        // A stopped Collector is for watchLiveness to judge, not to be cut off here.
        idleTimeoutMs: 0,
        logger,
        clock,
      },
      {
        admit: ({ headers }) =>
          carriesToken(headers.authorization, token)
            ? { admit: true, context: headers[markHeader.toLowerCase()]?.toString() ?? "" }
            : { admit: false, status: 401, message: "this port is for the Collector of this supervisor" },
        onConnected: (connection) => this.#opened(connection),
        onMessage: (connection, message) => this.#received(connection, message),
        onClosed: (connection, reason) => this.#closed(connection, reason),
      },
    );
    this.#server = createServer(
      // A stranger's silence must not hold sockets; the extension's handshake takes a millisecond.
      { headersTimeout: 5_000, requestTimeout: 5_000, connectionsCheckingInterval: 5_000 },
      (_request, response) => {
        response.writeHead(426, { upgrade: "websocket", connection: "upgrade, close" });
        response.end("the Collector's OpAMP extension connects here by WebSocket\n");
      },
    );
    this.#server.on("upgrade", (request, socket, head) =>
      this.#endpoint.handleUpgrade(request, socket, head),
    );
  }

  /** What the present link has reported, all together; undefined when there is no link. */
  get current(): { link: LinkIdentity; report: CollectorReport } | undefined {
    const link = this.#link;
    return link && { link: link.identity, report: reportOf(link.identity.mark, link.state ?? {}) };
  }

  /**
   * Opens the port and resolves with its number.
   * @throws Error that names the port and what to do, when it cannot be had.
   */
  async listen(): Promise<number> {
    const { port } = this.#options;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#server.once("error", reject);
    this.#server.listen({ host: "127.0.0.1", port }, resolve);
    try {
      await promise;
    } catch (error) {
      throw new Error(explainListenError(error, port), { cause: error });
    }
    this.#server.off("error", reject);
    this.#server.on("error", (error) =>
      this.#options.logger.error(
        { event: "local_link_error", error: describeError(error) },
        "the port for the Collector's OpAMP extension has trouble",
      ),
    );
    return (this.#server.address() as AddressInfo).port;
  }

  /** Asks the linked extension to report everything again (AS4). Without a link nothing happens. */
  requestFullState(): void {
    this.#link?.connection.send({ flags: ServerToAgentFlag.ReportFullState });
  }

  /** False when it was not sent: no link, or the Collector has not announced the capability (SX2). */
  sendCustomMessage(message: MessageInitShape<typeof CustomMessageSchema>): boolean {
    const capabilities = this.#link?.state?.customCapabilities?.capabilities ?? [];
    if (message.capability === undefined || !capabilities.includes(message.capability)) return false;
    return this.#link?.connection.send({ customMessage: message }) ?? false;
  }

  /**
   * Pings the open link every `intervalMs`; calls `onDead` each time no pong comes within `timeoutMs`. A link
   * that closes is not dead but closed. Returns what ends the watch.
   */
  watchLiveness(
    { intervalMs, timeoutMs }: { intervalMs: number; timeoutMs: number },
    onDead: (link: LinkIdentity) => void,
  ): () => void {
    const { clock } = this.#options;
    let next: Timer;
    let deadline: Timer | undefined;
    const check = () => {
      next = clock.setTimer(intervalMs, check);
      const link = this.#link;
      // A ping whose answer is still awaited is enough.
      if (link === undefined || deadline !== undefined) return;
      const settled = () => {
        timer.cancel();
        if (deadline === timer) deadline = undefined;
      };
      const timer = clock.setTimer(timeoutMs, () => {
        settled();
        if (this.#link === link) onDead(link.identity);
      });
      deadline = timer;
      link.connection.ping().then(settled, settled);
    };
    next = clock.setTimer(intervalMs, check);
    return () => {
      next.cancel();
      deadline?.cancel();
    };
  }

  /** Closes the link with a close frame and then the port; takes a second at most. */
  async close(): Promise<void> {
    const closed = Promise.withResolvers<void>();
    this.#server.close(() => closed.resolve());
    await this.#endpoint.close();
    this.#server.closeAllConnections();
    await closed.promise;
  }

  #opened(connection: AgentConnection<string>): void {
    const replaced = this.#link;
    const identity = { id: connection.id, mark: connection.context };
    this.#link = { identity, connection, state: undefined };
    if (replaced !== undefined) {
      const reason = "a newer link took its place";
      this.#handlers.onUnlink(replaced.identity, reason);
      replaced.connection.close(1000, reason);
    }
    this.#handlers.onLink(identity);
  }

  #received(connection: AgentConnection<string>, message: AgentToServer): ServerToAgentInit {
    const link = this.#link;
    // What a replaced link still says is answered (ST3) but no longer counts.
    if (link?.connection !== connection) return {};
    const isFirst = link.state === undefined;
    const merged = mergeReport(link.state, message);
    link.state = merged.state;
    const { mark } = link.identity;
    const changed = reportOf(mark, merged.changed);
    if (Object.keys(changed).length > 1) this.#handlers.onReport(link.identity, changed);
    if (message.customMessage !== undefined) {
      this.#handlers.onCustomMessage(link.identity, clone(CustomMessageSchema, message.customMessage));
    }
    // An extension that dials again does not repeat what it told the supervisor before this one.
    const incomplete = isFirst && (message.health === undefined || message.effectiveConfig === undefined);
    return { flags: answerFlags({ ...merged, gap: merged.gap || incomplete }) };
  }

  #closed(connection: AgentConnection<string>, reason: string): void {
    const link = this.#link;
    if (link?.connection !== connection) return;
    this.#link = undefined;
    this.#handlers.onUnlink(link.identity, reason);
  }
}

function reportOf(mark: string, parts: ReportedParts): CollectorReport {
  const { agentDescription, health, effectiveConfig, availableComponents, customCapabilities } = parts;
  return {
    mark,
    ...(agentDescription && { description: agentDescription }),
    ...(health && { health }),
    ...(effectiveConfig && { effectiveConfig }),
    ...(availableComponents && { availableComponents }),
    ...(customCapabilities && { customCapabilities }),
  };
}

function explainListenError(error: unknown, port: number): string {
  if (errorCode(error) === "EADDRINUSE") {
    return `port ${port} on 127.0.0.1, for the Collector's OpAMP extension, is in use by another process: stop that one, or set agent.opamp_server_port to a free port or to 0 for any`;
  }
  return `cannot listen on port ${port} of 127.0.0.1 for the Collector's OpAMP extension: ${describeError(error)}`;
}
