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
  observer: FleetObserver;
}

/** Learns of every change as it happens. */
export interface FleetObserver {
  /** `nothing`: all that is new is that it was heard. */
  heard(agent: Agent, report: { told: "nothing" } | { told: "news"; changed: ReportedParts }): void;
  /** Its presence changed, or what the control plane notes of it. */
  noted(agent: Agent): void;
}

/** The Agents ever heard, connected or not, by instance UID (SW5). */
export class Fleet {
  readonly #agents = new Map<string, Agent>();
  /** Who ever spoke on a WebSocket. */
  readonly #speakers = new WeakMap<Connection, Set<string>>();
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #events: ServerEvents;
  readonly #pollTimeoutMs: number;
  readonly #operatorLabels: Pick<OperatorLabels, "get">;
  readonly #observer: FleetObserver;

  constructor({ clock, log, events, pollTimeoutMs, operatorLabels, observer }: FleetOptions) {
    this.#clock = clock;
    this.#log = log;
    this.#events = events;
    this.#pollTimeoutMs = pollTimeoutMs;
    this.#operatorLabels = operatorLabels;
    this.#observer = observer;
  }

  /** The Agent of a canonical instance UID. */
  get(id: string): Agent | undefined {
    return this.#agents.get(id);
  }

  /** Whether an Agent was heard on this connection and is still reached through it; over HTTP: whether it polls. */
  isHere(connection: Connection, id: string): boolean {
    const known = this.#agents.get(id);
    return known !== undefined && isSameSession(known.presence, connection);
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
      offerCount: known?.offerCount ?? 0,
      offers: known?.offers ?? {
        configuration: nothingOffered,
        packages: nothingOffered,
        connections: nothingOffered,
      },
      restartWaiting: known?.restartWaiting ?? false,
    };
    this.#agents.set(id, agent);
    const told = isNews(known, agent, merged) || comesBack;
    this.#observer.heard(agent, told ? { told: "news", changed: merged.changed } : { told: "nothing" });
    if (comesBack) this.#tellConnected(agent);
    const changed = Object.keys(merged.changed).flatMap((part) => partNames[part] ?? []);
    if (changed.length > 0) this.#events.publish({ type: "agent.changed", agent_id: id, changed });
    return { agent, merged };
  }

  /** Replaces what the control plane itself notes of an Agent. */
  note(agent: Agent, notes: AgentNotes): Agent {
    const noted = { ...(this.#agents.get(agent.id) ?? agent), ...notes };
    this.#agents.set(agent.id, noted);
    // Figures come often, and the next ones replace them.
    if (Object.keys(notes).some((key) => key !== "figures")) this.#observer.noted(noted);
    return noted;
  }

  /** The same for what was offered to it of one kind. */
  noteOffer(agent: Agent, kind: OfferKind, notes: Partial<OfferNotes>): Agent {
    const { offers } = this.#agents.get(agent.id) ?? agent;
    return this.note(agent, { offers: { ...offers, [kind]: { ...offers[kind], ...notes } } });
  }

  /** It is being offered this; `at` is on the monotonic clock. The same offer made again is one in its history. */
  noteOffered(
    agent: Agent,
    kind: OfferKind,
    { at, hash, rule }: { at: number; hash: string; rule: number },
  ): Agent {
    const current = this.#agents.get(agent.id) ?? agent;
    const notes = current.offers[kind];
    const repeated = notes.last?.rule === rule && notes.last.answer === undefined;
    const number = current.offerCount + 1;
    const fresh = { number, rule, hash, offeredAt: this.#clock.now(), answer: undefined };
    const last = repeated ? notes.last : fresh;
    const offered = { rule, session: current.session, at };
    return this.note(current, {
      offers: { ...current.offers, [kind]: { ...notes, offered, last } },
      offerCount: repeated ? current.offerCount : number,
    });
  }

  /** What it says became of what it was offered last; an answer about something else is none to that. */
  noteAnswer(agent: Agent, kind: OfferKind, answer: { hash: string; status: string; error: string }): Agent {
    const { last } = (this.#agents.get(agent.id) ?? agent).offers[kind];
    const { error, hash, status } = answer;
    if (last?.hash !== hash || (last.answer?.status === status && last.answer.error === error)) return agent;
    return this.noteOffer(agent, kind, {
      last: { ...last, answer: { status, error, at: this.#clock.now() } },
    });
  }

  /** The Agent said good-bye, or is silent for too long. */
  gone(agent: Agent, reason: string): void {
    const current = this.#agents.get(agent.id);
    if (current === undefined || !isHere(current.presence)) return;
    if (current.presence.t === "polling") current.presence.timeout.cancel();
    // A restart that was ordered long ago must not surprise an Agent that comes back.
    const presence = { t: "gone", since: this.#clock.now(), reason } as const;
    const gone = { ...current, presence, restartWaiting: false };
    this.#agents.set(agent.id, gone);
    this.#observer.noted(gone);
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

  /** Takes over what is stored of an Agent, or what another replica knows of it. */
  adopt(agent: Agent): void {
    const known = this.#agents.get(agent.id);
    if (known?.presence.t === "polling") known.presence.timeout.cancel();
    // What operators say of it is not stored with it.
    this.#agents.set(agent.id, { ...agent, labels: this.#labelsOf(agent.id, agent.state) });
  }

  /** Knows nothing of an Agent any longer. */
  forget(id: string): void {
    const presence = this.#agents.get(id)?.presence;
    if (presence?.t === "polling") presence.timeout.cancel();
    this.#agents.delete(id);
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

/** What the control plane itself notes of an Agent. */
type AgentNotes = Partial<
  Pick<Agent, "appliedHash" | "figures" | "offerCount" | "offers" | "restartWaiting">
>;

const nothingOffered: OfferNotes = { offered: undefined, refused: [], last: undefined };

function isSameSession(presence: Presence, connection: Connection): boolean {
  switch (presence.t) {
    case "websocket":
      return presence.connection === connection;
    case "polling":
      return connection.transport === "http";
    case "elsewhere":
    case "gone":
      return false;
  }
}

/** Whether this replica holds its connection. */
export function isHere(presence: Presence): boolean {
  return presence.t === "websocket" || presence.t === "polling";
}

function isNews(known: Agent | undefined, agent: Agent, { changed }: MergedReport): boolean {
  return (
    known === undefined ||
    Object.keys(changed).length > 0 ||
    known.state.capabilities !== agent.state.capabilities ||
    known.state.asked.fullState !== agent.state.asked.fullState
  );
}
