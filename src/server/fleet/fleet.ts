import type { Clock } from "../../foundation/clock.ts";
import type { Logger } from "../../foundation/logger.ts";
import { formatInstanceUid } from "../../opamp/instance-uid.ts";
import type { AgentToServer } from "../../opamp/messages.ts";
import { everyAgent, type Selector } from "../../opamp/selector.ts";
import { type MergedReport, mergeReport, type ReportedParts } from "../../opamp/server/agent-state.ts";
import type { ServerEvents } from "../events.ts";
import type { Agent, Connection, OfferKind, OfferNotes, Presence } from "./agent.ts";
import { type Labels, labelsOf } from "./labels.ts";
import { type OperatorLabels, withOperatorLabels } from "./operator-labels.ts";

export interface FleetOptions {
  clock: Clock;
  log: Logger;
  events: ServerEvents;
  /** How long an Agent on plain HTTP may be silent before it counts as gone. */
  pollTimeoutMs: number;
  operatorLabels: Pick<OperatorLabels, "get">;
}

/** The Agents heard since the start, connected or not, by instance UID (SW5). In memory only. */
export class Fleet {
  readonly #agents = new Map<string, Agent>();
  /** Who ever spoke on a WebSocket. */
  readonly #speakers = new WeakMap<Connection, Set<string>>();
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #events: ServerEvents;
  readonly #pollTimeoutMs: number;
  readonly #operatorLabels: Pick<OperatorLabels, "get">;

  constructor({ clock, log, events, pollTimeoutMs, operatorLabels }: FleetOptions) {
    this.#clock = clock;
    this.#log = log;
    this.#events = events;
    this.#pollTimeoutMs = pollTimeoutMs;
    this.#operatorLabels = operatorLabels;
  }

  /** The Agent of a canonical instance UID. */
  get(id: string): Agent | undefined {
    return this.#agents.get(id);
  }

  /** Those the selector picks, in the order first heard. */
  list(selector: Selector = everyAgent): Agent[] {
    return [...this.#agents.values()].filter((agent) => selector.matches(agent));
  }

  /** Adds one report of an Agent, which is reachable through `connection` from now on. */
  heard(connection: Connection, message: AgentToServer): { agent: Agent; merged: MergedReport } {
    const id = formatInstanceUid(message.instanceUid);
    const known = this.#agents.get(id);
    const merged = mergeReport(known?.state, message);
    const now = this.#clock.now();
    const comesBack = known === undefined || !isSameSession(known.presence, connection);
    const agent: Agent = {
      id,
      state: merged.state,
      labels:
        known !== undefined && merged.changed.agentDescription === undefined
          ? known.labels
          : this.#labelsOf(id, merged.state),
      presence: this.#presenceOn(connection, id, known),
      session: (known?.session ?? 0) + (comesBack ? 1 : 0),
      transport: connection.transport,
      remoteAddress: connection.remoteAddress,
      firstSeen: known?.firstSeen ?? now,
      lastSeen: now,
      appliedHash: known?.appliedHash,
      figures: known?.figures,
      offers: known?.offers ?? { configuration: nothingOffered, packages: nothingOffered },
      restartWaiting: known?.restartWaiting ?? false,
    };
    this.#agents.set(id, agent);
    if (comesBack) this.#tellConnected(agent);
    const changed = Object.keys(merged.changed).flatMap((part) => partNames[part] ?? []);
    if (changed.length > 0) this.#events.publish({ type: "agent.changed", agent_id: id, changed });
    return { agent, merged };
  }

  /** Replaces what the control plane itself notes of an Agent. */
  note(
    agent: Agent,
    notes: Partial<Pick<Agent, "appliedHash" | "figures" | "offers" | "restartWaiting">>,
  ): Agent {
    const noted = { ...(this.#agents.get(agent.id) ?? agent), ...notes };
    this.#agents.set(agent.id, noted);
    return noted;
  }

  /** The same for what was offered to it of one kind. */
  noteOffer(agent: Agent, kind: OfferKind, notes: Partial<OfferNotes>): Agent {
    const { offers } = this.#agents.get(agent.id) ?? agent;
    return this.note(agent, { offers: { ...offers, [kind]: { ...offers[kind], ...notes } } });
  }

  /** The Agent said good-bye, or is silent for too long. */
  gone(agent: Agent, reason: string): void {
    const current = this.#agents.get(agent.id);
    if (current === undefined || current.presence.t === "gone") return;
    if (current.presence.t === "polling") current.presence.timeout.cancel();
    // A restart that was ordered long ago must not surprise an Agent that comes back.
    this.#agents.set(agent.id, { ...current, presence: { t: "gone" }, restartWaiting: false });
    this.#events.publish({ type: "agent.disconnected", agent_id: agent.id, reason });
    this.#log.info({ event: "agent_disconnected", agent_id: agent.id, reason }, "agent disconnected");
  }

  /** A WebSocket closed: every Agent that spoke on it last is gone (SW6). */
  connectionClosed(connection: Connection, reason: string): void {
    for (const id of this.#speakers.get(connection) ?? []) {
      const agent = this.#agents.get(id);
      if (agent?.presence.t === "websocket" && agent.presence.connection === connection) {
        this.gone(agent, reason);
      }
    }
  }

  /** Its operators' labels are others now. */
  relabel(id: string): void {
    const agent = this.#agents.get(id);
    if (agent === undefined) return;
    this.#agents.set(id, { ...agent, labels: this.#labelsOf(id, agent.state) });
    this.#events.publish({ type: "agent.changed", agent_id: id, changed: ["labels"] });
  }

  /** Waits for nobody any longer; what is known stays. */
  close(): void {
    for (const { presence } of this.#agents.values()) {
      if (presence.t === "polling") presence.timeout.cancel();
    }
  }

  #labelsOf(id: string, { agentDescription }: ReportedParts): Labels {
    return withOperatorLabels(labelsOf(agentDescription), this.#operatorLabels.get(id));
  }

  #presenceOn(connection: Connection, id: string, known: Agent | undefined): Presence {
    if (known?.presence.t === "polling") known.presence.timeout.cancel();
    if (connection.transport === "websocket") {
      const speakers = this.#speakers.get(connection) ?? new Set();
      this.#speakers.set(connection, speakers.add(id));
      return { t: "websocket", connection };
    }
    const timeout = this.#clock.setTimer(this.#pollTimeoutMs, () => {
      const silent = this.#agents.get(id);
      if (silent !== undefined) this.gone(silent, "missed its polls");
    });
    return { t: "polling", timeout };
  }

  #tellConnected({ id, labels, remoteAddress, transport }: Agent): void {
    const version = labels["service.version"] ?? null;
    this.#events.publish({ type: "agent.connected", agent_id: id, version, transport });
    this.#log.info(
      {
        event: "agent_connected",
        agent_id: id,
        agent_version: labels["service.version"],
        remote_addr: remoteAddress,
        transport,
      },
      "agent connected",
    );
  }
}

/** Parts of a report as the API names them. */
const partNames: Readonly<Record<string, string | undefined>> = {
  agentDescription: "labels",
  health: "health",
  effectiveConfig: "effective_config",
  remoteConfigStatus: "remote_config_status",
  packageStatuses: "packages",
  customCapabilities: "custom_capabilities",
  availableComponents: "components",
  connectionSettingsStatus: "connection_settings_status",
} satisfies Record<keyof ReportedParts, string>;

const nothingOffered: OfferNotes = { offered: undefined, refused: [] };

function isSameSession(presence: Presence, connection: Connection): boolean {
  switch (presence.t) {
    case "websocket":
      return presence.connection === connection;
    case "polling":
      return connection.transport === "http";
    case "gone":
      return false;
  }
}
