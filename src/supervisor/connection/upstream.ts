import { create } from "@bufbuild/protobuf";
import type { Clock } from "../../foundation/clock.ts";
import type { Logger } from "../../foundation/logger.ts";
import type { ReportedState } from "../../opamp/agent/reported-state.ts";
import { AgentSession } from "../../opamp/agent/session.ts";
import type { AgentSessionSettings } from "../../opamp/agent/settings.ts";
import {
  type AgentRemoteConfig,
  type ConnectionSettingsOffers,
  ConnectionSettingsOffersSchema,
  type CustomMessage,
  type ServerToAgent,
} from "../../opamp/messages.ts";

/** What the server can ask of the supervisor. Parts whose capability is off never arrive here. */
export interface UpstreamHandlers {
  remoteConfig(config: AgentRemoteConfig): void;
  ownTelemetry(offers: ConnectionSettingsOffers): void;
  restart(): void;
  customMessage(message: CustomMessage): void;
  instanceUid(uid: Uint8Array): void;
}

interface UpstreamDeps {
  state: ReportedState;
  clock: Clock;
  logger: Logger;
}

/** The connection to the OpAMP server: one session, and what the server's messages ask for. */
export class Upstream {
  readonly #session: AgentSession;
  readonly #handlers: UpstreamHandlers;
  readonly #deps: UpstreamDeps;

  constructor(settings: AgentSessionSettings, handlers: UpstreamHandlers, deps: UpstreamDeps) {
    this.#handlers = handlers;
    this.#deps = deps;
    this.#session = new AgentSession(
      settings,
      deps.state,
      {
        onConnected: () => undefined,
        onConnectFailed: () => undefined,
        onDisconnected: () => undefined,
        onMessage: (message) => this.#onMessage(message),
        onInstanceUid: (uid) => handlers.instanceUid(uid),
      },
      { clock: deps.clock, logger: deps.logger },
    );
  }

  start(): void {
    this.#session.start();
  }

  /** Says goodbye and closes, within a bound. */
  stop(): Promise<void> {
    return this.#session.stop();
  }

  sendCustomMessage(message: CustomMessage): void {
    const outcome = this.#session.sendCustomMessage(message);
    if (outcome === "queued") return;
    const fields = { event: "custom_message_dropped", capability: message.capability, reason: outcome };
    this.#deps.logger.warn(fields, "a custom message of the Collector was dropped");
  }

  #onMessage(message: ServerToAgent): void {
    // A command travels alone: whatever else is in that message is not meant (AX5).
    if (message.command !== undefined) {
      this.#handlers.restart();
      return;
    }
    if (message.connectionSettings !== undefined) this.#onConnectionSettings(message.connectionSettings);
    if (message.remoteConfig !== undefined) this.#handlers.remoteConfig(message.remoteConfig);
    if (message.customMessage !== undefined) this.#handlers.customMessage(message.customMessage);
  }

  #onConnectionSettings(offers: ConnectionSettingsOffers): void {
    const { hash, ownMetrics, ownTraces, ownLogs } = offers;
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
}
