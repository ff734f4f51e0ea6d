import { create } from "@bufbuild/protobuf";
import type { Clock } from "../../foundation/clock.ts";
import type { Logger } from "../../foundation/logger.ts";
import { Repetition } from "../../foundation/repetition.ts";
import type { ReportedState } from "../../opamp/agent/reported-state.ts";
import type { AgentSessionSettings } from "../../opamp/agent/settings.ts";
import {
  type AgentRemoteConfig,
  type ConnectionSettingsOffers,
  ConnectionSettingsOffersSchema,
  ConnectionSettingsRequestSchema,
  type CustomMessage,
  type PackagesAvailable,
  type ServerToAgent,
} from "../../opamp/messages.ts";
import type { Tracer } from "../telemetry/tracer.ts";
import { type Presence, ServerConnection } from "./server-connection.ts";
import { Trial } from "./trial.ts";

/** What the server can ask of the supervisor. Parts whose capability is off never arrive here. */
export interface UpstreamHandlers {
  remoteConfig(config: AgentRemoteConfig): void;
  /** `config` came in the same message. */
  packages(packages: PackagesAvailable, config: AgentRemoteConfig | undefined): void;
  connectionSettings(offers: ConnectionSettingsOffers): void;
  /** Own telemetry and other connections. */
  ownTelemetry(offers: ConnectionSettingsOffers): void;
  restart(): void;
  customMessage(message: CustomMessage): void;
  instanceUid(uid: Uint8Array): void;
  /** The connection in use was answered, has ended, or could not be made. */
  presenceChanged(): void;
}

interface UpstreamDeps {
  state: ReportedState;
  clock: Clock;
  logger: Logger;
  tracer: Tracer;
}

/** Where the connection in use leads, and how it is. */
export interface UpstreamStatus {
  /** Host and port. */
  server: string;
  connected: boolean;
  /** When the server last answered a message, heartbeats included; milliseconds since the Unix epoch. */
  lastAnswerAt: number | undefined;
}

/** How long a good-bye may keep the next connection waiting. Milliseconds. */
const hurriedCloseMs = 1_000;

/**
 * The connection to the OpAMP server, and what the server's messages ask for. Other settings are tried on a
 * connection beside it, and it is only given up for one that works.
 */
export class Upstream {
  readonly #handlers: UpstreamHandlers;
  readonly #deps: UpstreamDeps;
  #live: ServerConnection;
  #trial: Trial | undefined;
  #described: Promise<void> = Promise.resolve();
  #lastAnswerAt: number | undefined;
  readonly #droppedMessages: Repetition;
  #stopping = false;

  constructor(settings: AgentSessionSettings, handlers: UpstreamHandlers, deps: UpstreamDeps) {
    this.#handlers = handlers;
    this.#deps = deps;
    this.#droppedMessages = new Repetition(deps.clock);
    this.#live = this.#make(settings);
  }

  get status(): UpstreamStatus {
    const { settings, presence } = this.#live;
    const { connected } = presence;
    return { server: settings.endpoint.host, connected, lastAnswerAt: this.#lastAnswerAt };
  }

  /** For an operator: the whole address, without credentials and query, and how it is there. */
  get presence(): Presence & { endpoint: string } {
    const { settings, presence } = this.#live;
    const { protocol, host, pathname } = settings.endpoint;
    return { ...presence, endpoint: `${protocol}//${host}${pathname}` };
  }

  /** Of the connection in use. */
  get settings(): AgentSessionSettings {
    return this.#live.settings;
  }

  /** Connects at once, and reports as soon as there is something to say. */
  start(described: Promise<void>): void {
    this.#described = described;
    this.#live.session.start(described);
  }

  /** Says goodbye and closes, within a bound. What is being tried fails at once. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#trial?.end(new Error("the supervisor is stopping"));
    await Promise.all([this.#trial?.connection.session.stop(), this.#live.session.stop()]);
  }

  /** Whether a server is connected that announced this custom capability, and no message of it waits. */
  wantsCustomMessage(capability: string): boolean {
    return this.presence.connected && this.#live.session.wantsCustomMessage(capability);
  }

  sendCustomMessage(message: CustomMessage): void {
    const outcome = this.#live.session.sendCustomMessage(message);
    if (outcome === "queued") return;
    const { capability } = message;
    const count = this.#droppedMessages.next(`${capability} ${outcome}`);
    if (count === undefined) return;
    const fields = { event: "custom_message_dropped", capability, reason: outcome, count };
    this.#deps.logger.warn(fields, "a custom message of the Collector was dropped");
  }

  /** Asks the server to sign a certification request, in PEM (AN19, AN20). */
  requestCertificate(csr: string): "queued" | "unsupported" {
    const opamp = { certificateRequest: { csr: new TextEncoder().encode(csr) } };
    return this.#live.session.requestConnectionSettings(create(ConnectionSettingsRequestSchema, { opamp }));
  }

  /**
   * Reaches a server with other settings, beside the connection in use, and says nothing yet. Rejects when it
   * cannot be reached. One at a time.
   */
  async reach(settings: AgentSessionSettings): Promise<void> {
    if (this.#stopping) throw new Error("the supervisor is stopping");
    if (this.#trial !== undefined) await this.giveUpTrial();
    this.#trial = new Trial(this.#make(settings), this.#deps.clock);
    await this.#trial.reach(this.#described);
  }

  /**
   * Lets the reached server answer a message (AN3); rejects when it does not. A server takes two connections of
   * one uid for two agents, or closes the older one: with the same server the one in use says good-bye first
   * (AW6, AN4), and is made again by {@link giveUpTrial}. Another server is asked beside it.
   */
  async proveTrial(): Promise<void> {
    const trial = this.#trial;
    if (trial === undefined) throw new Error("no server was reached");
    const isSameServer = trial.connection.settings.endpoint.host === this.settings.endpoint.host;
    if (isSameServer) await this.#live.session.stop(hurriedCloseMs);
    await trial.speak();
  }

  /** Makes the proven connection the one in use; resolves when the former one is closed. */
  async adoptTrial(): Promise<void> {
    const trial = this.#trial;
    if (trial === undefined) return;
    const former = this.#live;
    this.#trial = undefined;
    this.#live = trial.connection;
    for (const message of trial.takeMessages()) this.#received(message);
    await former.session.stop();
    this.#handlers.presenceChanged();
  }

  /** Leaves what was tried, and makes the connection in use again if it had to be left. */
  async giveUpTrial(): Promise<void> {
    const trial = this.#trial;
    if (trial === undefined) return;
    this.#trial = undefined;
    trial.end(new Error("given up"));
    await trial.connection.session.stop(hurriedCloseMs);
    if (this.#live.session.stopped) this.#open(this.settings);
  }

  /** Takes other settings into use unproven: those in use do not work. */
  async use(settings: AgentSessionSettings): Promise<void> {
    await this.#live.session.stop(hurriedCloseMs);
    this.#open(settings);
  }

  /** Settings that differ from those in use only in what needs no other connection. */
  retune(settings: AgentSessionSettings): void {
    this.#live.settings = settings;
    this.#live.session.setHeartbeatInterval(settings.heartbeatIntervalMs);
  }

  #open(settings: AgentSessionSettings): void {
    if (this.#stopping) return;
    this.#live = this.#make(settings);
    this.#live.session.start(this.#described);
  }

  #make(settings: AgentSessionSettings): ServerConnection {
    /** On one that is being tried, and not yet in use. */
    const tried = (tell: (trial: Trial) => void) => {
      if (this.#trial?.connection === connection) tell(this.#trial);
    };
    const presenceChanged = () => {
      if (this.#live === connection) this.#handlers.presenceChanged();
    };
    const connection: ServerConnection = new ServerConnection(
      settings,
      {
        opened: () => tried((trial) => trial.opened()),
        connected: () => {
          tried((trial) => trial.answered());
          presenceChanged();
        },
        failed: (error) => {
          tried((trial) => trial.failed(error));
          presenceChanged();
        },
        disconnected: () => {
          tried((trial) => trial.failed(new Error(connection.presence.lastError)));
          presenceChanged();
        },
        message: (message) => {
          tried((trial) => trial.received(message));
          if (this.#live === connection) this.#received(message);
        },
        instanceUid: (uid) => this.#handlers.instanceUid(uid),
      },
      this.#deps,
    );
    return connection;
  }

  #received(message: ServerToAgent): void {
    this.#lastAnswerAt = this.#deps.clock.now();
    this.#deps.tracer.during("onMessage", () => this.#onMessage(message));
  }

  #onMessage(message: ServerToAgent): void {
    // A command travels alone: whatever else is in that message is not meant (AX5).
    if (message.command !== undefined) {
      this.#handlers.restart();
      return;
    }
    if (message.connectionSettings !== undefined) this.#onConnectionSettings(message.connectionSettings);
    const { packagesAvailable, remoteConfig } = message;
    if (packagesAvailable !== undefined) this.#handlers.packages(packagesAvailable, remoteConfig);
    else if (remoteConfig !== undefined) this.#handlers.remoteConfig(remoteConfig);
    if (message.customMessage !== undefined) this.#handlers.customMessage(message.customMessage);
  }

  #onConnectionSettings(offers: ConnectionSettingsOffers): void {
    const { hash, opamp, ownMetrics, ownTraces, ownLogs, otherConnections } = offers;
    if (opamp !== undefined) this.#handlers.connectionSettings(offers);
    const hasTelemetry = ownMetrics !== undefined || ownTraces !== undefined || ownLogs !== undefined;
    if (!hasTelemetry && Object.keys(otherConnections).length === 0) return;
    this.#handlers.ownTelemetry(
      create(ConnectionSettingsOffersSchema, {
        hash,
        ...(ownMetrics && { ownMetrics }),
        ...(ownTraces && { ownTraces }),
        ...(ownLogs && { ownLogs }),
        otherConnections,
      }),
    );
  }
}
