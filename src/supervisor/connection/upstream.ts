import { create } from "@bufbuild/protobuf";
import type { Clock } from "../../foundation/clock.ts";
import { describeError } from "../../foundation/errors.ts";
import type { Logger } from "../../foundation/logger.ts";
import type { ReportedState } from "../../opamp/agent/reported-state.ts";
import { AgentSession } from "../../opamp/agent/session.ts";
import type { AgentSessionSettings } from "../../opamp/agent/settings.ts";
import {
  type AgentRemoteConfig,
  type ConnectionSettingsOffers,
  ConnectionSettingsOffersSchema,
  type CustomMessage,
  type OpAMPConnectionSettings,
  type PackagesAvailable,
  type ServerToAgent,
} from "../../opamp/messages.ts";
import type { Tracer } from "../telemetry/tracer.ts";
import { withOffer } from "./offered-settings.ts";

/** What the server can ask of the supervisor. Parts whose capability is off never arrive here. */
export interface UpstreamHandlers {
  remoteConfig(config: AgentRemoteConfig): void;
  /** `config` came in the same message. */
  packages(packages: PackagesAvailable, config: AgentRemoteConfig | undefined): void;
  ownTelemetry(offers: ConnectionSettingsOffers): void;
  restart(): void;
  customMessage(message: CustomMessage): void;
  instanceUid(uid: Uint8Array): void;
}

interface UpstreamDeps {
  state: ReportedState;
  clock: Clock;
  logger: Logger;
  tracer: Tracer;
}

interface Connection {
  settings: AgentSessionSettings;
  session: AgentSession;
  presence: Presence;
}

/** Whether the server answers. */
interface Presence {
  /** The server has answered on it, and it has not ended. */
  connected: boolean;
  /** Since when it is so; milliseconds since the Unix epoch. */
  since: number;
  /** Why it is not connected, as far as that is known. */
  lastError: string | undefined;
}

/** Where the connection in use leads, and how it is. */
export interface UpstreamStatus {
  /** Host and port. */
  server: string;
  connected: boolean;
  /** When the server last answered a message, heartbeats included; milliseconds since the Unix epoch. */
  lastAnswerAt: number | undefined;
}

/** How long a candidate may take to be answered by its server. */
const candidateTimeoutMs = 15_000;

/** The connection to the OpAMP server, and what the server's messages ask for. */
export class Upstream {
  readonly #handlers: UpstreamHandlers;
  readonly #deps: UpstreamDeps;
  #live: Connection;
  /** Offered settings that are being tried beside the live connection. */
  #candidate: Connection | undefined;
  #lastOfferHash: string | undefined;
  #lastAnswerAt: number | undefined;
  #stopping = false;

  constructor(settings: AgentSessionSettings, handlers: UpstreamHandlers, deps: UpstreamDeps) {
    this.#handlers = handlers;
    this.#deps = deps;
    this.#live = this.#open(settings);
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

  /** Connects at once, and reports as soon as there is something to say. */
  start(described: Promise<void>): void {
    this.#live.session.start(described);
  }

  /** Says goodbye and closes, within a bound. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all([this.#candidate?.session.stop(), this.#live.session.stop()]);
  }

  sendCustomMessage(message: CustomMessage): void {
    const outcome = this.#live.session.sendCustomMessage(message);
    if (outcome === "queued") return;
    const fields = { event: "custom_message_dropped", capability: message.capability, reason: outcome };
    this.#deps.logger.warn(fields, "a custom message of the Collector was dropped");
  }

  #open(settings: AgentSessionSettings): Connection {
    const { state, clock, logger, tracer } = this.#deps;
    const session = new AgentSession(
      settings,
      state,
      {
        onConnected: () => {
          connection.presence = { connected: true, since: clock.now(), lastError: undefined };
          this.#connected(connection);
        },
        onConnectFailed: (error) => {
          connection.presence = { ...connection.presence, lastError: describeError(error) };
          this.#refused(connection, error);
        },
        onDisconnected: (reason) => {
          connection.presence = { connected: false, since: clock.now(), lastError: reason };
        },
        onMessage: (message) => {
          if (connection !== this.#live) return;
          this.#lastAnswerAt = clock.now();
          tracer.during("onMessage", () => this.#onMessage(message));
        },
        onInstanceUid: (uid) => this.#handlers.instanceUid(uid),
      },
      { clock, logger },
    );
    const presence = { connected: false, since: clock.now(), lastError: undefined };
    const connection: Connection = { settings, session, presence };
    return connection;
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
    const { hash, opamp, ownMetrics, ownTraces, ownLogs } = offers;
    if (opamp !== undefined) this.#try(opamp, Buffer.from(hash).toString("hex"));
    if (ownMetrics === undefined && ownTraces === undefined && ownLogs === undefined) return;
    this.#handlers.ownTelemetry(
      create(ConnectionSettingsOffersSchema, {
        hash,
        ...(ownMetrics && { ownMetrics }),
        ...(ownTraces && { ownTraces }),
        ...(ownLogs && { ownLogs }),
      }),
    );
  }

  /** Connects with offered settings beside the live connection, which is only given up for one that works (AN3). */
  #try(offer: OpAMPConnectionSettings, hash: string): void {
    const { logger, clock } = this.#deps;
    if (hash !== "" && hash === this.#lastOfferHash) return;
    this.#lastOfferHash = hash;
    let settings: AgentSessionSettings | undefined;
    try {
      settings = withOffer(this.#live.settings, offer);
    } catch (error) {
      const fields = { event: "connection_settings_refused", error: describeError(error) };
      logger.error(fields, "the connection settings that the server offers cannot be used");
      return;
    }
    if (settings === undefined) return;
    void this.#candidate?.session.stop();
    const candidate = this.#open(settings);
    this.#candidate = candidate;
    logger.info(
      { event: "connection_settings_received" },
      "trying the connection settings that the server offers",
    );
    // A server takes two connections of one uid for two agents, so with the same one it is one after the other.
    const gone =
      settings.endpoint.host === this.#live.settings.endpoint.host ? this.#live.session.stop() : undefined;
    void Promise.resolve(gone).then(() => {
      candidate.session.start();
      clock.setTimer(candidateTimeoutMs, () => {
        this.#refused(candidate, new Error(`no answer within ${candidateTimeoutMs / 1_000} s`));
      });
    });
  }

  #connected(connection: Connection): void {
    if (connection !== this.#candidate) return;
    const former = this.#live;
    this.#candidate = undefined;
    this.#live = connection;
    this.#deps.logger.info(
      { event: "connection_settings_applied", server_url: connection.settings.endpoint.host },
      "the offered connection works and is used from now on",
    );
    void former.session.stop();
  }

  #refused(connection: Connection, error: Error): void {
    if (connection !== this.#candidate) return;
    this.#candidate = undefined;
    const fields = { event: "connection_settings_refused", error: describeError(error) };
    this.#deps.logger.error(fields, "the offered connection does not work; the former one is used");
    void connection.session.stop().then(() => {
      if (!this.#live.session.stopped || this.#stopping) return;
      this.#live = this.#open(this.#live.settings);
      this.#live.session.start();
    });
  }
}
