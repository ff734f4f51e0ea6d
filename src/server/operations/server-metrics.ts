import type { Clock } from "../../foundation/clock.ts";
import { Histogram } from "../../foundation/metrics/histogram.ts";
import { Counts, type Metric, type Point } from "../../foundation/metrics/metric.ts";
import type { AgentToServer, ServerToAgent } from "../../opamp/messages.ts";
import type { PublishedEvent, ServerEvents } from "../events.ts";
import { type Fleet, isHere } from "../fleet/fleet.ts";
import { kindsOfReceived, kindsOfSent, receivedKinds, sentKinds } from "./message-kinds.ts";

export interface ServerMetricsOptions {
  events: ServerEvents;
  fleet: Fleet;
  clock: Clock;
  /** Labels of agents by which the connected ones are told apart; few values each. */
  labels: readonly string[];
  /** When the certificate of each listener ends, in milliseconds since the Unix epoch. */
  certificateExpiries: () => readonly { listener: string; at: number }[];
}

/** Seconds. Around the service levels of 5 s and 10 s. */
const durationBounds = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 7.5, 10, 30, 60, 300];
/** An offer that is answered after this long was waiting for something else. */
const longestMs = 3_600_000;
/** Offers under way whose time is taken, so that a fleet that never answers does not fill the memory. */
const maxTimed = 200_000;

/** What the control plane counts, by the names that alerts and dashboards know. */
export class ServerMetrics {
  readonly #options: ServerMetricsOptions;
  readonly #updates = new Counts("status", ["success", "failure"]);
  readonly #received = new Counts("type", receivedKinds);
  readonly #sent = new Counts("type", sentKinds);
  readonly #durations = new Histogram(durationBounds);
  /** When each offer was made, by agent and hash. */
  readonly #offeredAt = new Map<string, number>();
  readonly #unhealthy = new Set<string>();
  /** Rollouts that are being taken back now. */
  readonly #goingBack = new Set<string>();
  #rollbacks = 0;
  #webSockets = 0;
  #downloads = 0;
  #healthFailures = 0;
  #seen: number;

  constructor(options: ServerMetricsOptions) {
    this.#options = options;
    this.#seen = options.events.last;
    options.events.onPublished(() => this.#readEvents());
  }

  received(message: AgentToServer): void {
    for (const kind of kindsOfReceived(message)) this.#received.add(kind);
  }

  sent(message: ServerToAgent): void {
    for (const kind of kindsOfSent(message)) this.#sent.add(kind);
  }

  webSocketOpened(): void {
    this.#webSockets += 1;
  }

  downloadStarted(): void {
    this.#downloads += 1;
  }

  /** All of them; read their values when you like. */
  all(): readonly Metric[] {
    const { certificateExpiries } = this.#options;
    const count = (name: string, help: string, value: () => number): Metric => ({
      name,
      help,
      kind: "counter",
      points: () => [{ value: value(), labels: {} }],
    });
    return [
      {
        name: "opamp_server_connected_agents",
        help: "Agents that can be reached now",
        kind: "gauge",
        points: () => this.#connected(),
      },
      {
        name: "opamp_server_known_agents",
        help: "Agents that were heard and are not forgotten",
        kind: "gauge",
        points: () => [{ value: this.#options.fleet.list().length, labels: {} }],
      },
      {
        name: "opamp_server_config_updates_total",
        help: "Configurations that agents applied or refused",
        kind: "counter",
        points: () => this.#updates.points(),
      },
      {
        name: "opamp_server_config_update_duration_seconds",
        help: "From the offer of a configuration to the agent's last word on it",
        kind: "histogram",
        points: () => this.#durations.points(),
      },
      {
        name: "opamp_server_messages_received_total",
        help: "Messages of agents; one that is about several things counts for each",
        kind: "counter",
        points: () => this.#received.points(),
      },
      {
        name: "opamp_server_messages_sent_total",
        help: "Messages to agents; one that is about several things counts for each",
        kind: "counter",
        points: () => this.#sent.points(),
      },
      count(
        "opamp_server_websocket_connections_total",
        "WebSockets that agents opened",
        () => this.#webSockets,
      ),
      count(
        "opamp_server_package_downloads_total",
        "Downloads of packages that were begun",
        () => this.#downloads,
      ),
      count(
        "opamp_server_health_check_failures_total",
        "Times that an agent turned from healthy to unhealthy",
        () => this.#healthFailures,
      ),
      count(
        "opamp_rollback_total",
        "Rollouts that were taken back, by a gate or by somebody",
        () => this.#rollbacks,
      ),
      {
        name: "opamp_server_certificate_expiry_timestamp_seconds",
        help: "When the certificate of a listener ends",
        kind: "gauge",
        points: () =>
          certificateExpiries().map(({ listener, at }) => ({
            value: Math.round(at / 1000),
            labels: { listener },
          })),
      },
    ];
  }

  #connected(): readonly Point[] {
    const { fleet, labels } = this.#options;
    const connected = fleet.list().filter(({ presence }) => isHere(presence));
    if (labels.length === 0) return [{ value: connected.length, labels: {} }];
    const counts = new Map<string, { value: number; labels: Record<string, string> }>();
    for (const agent of connected) {
      const values = labels.map((name) => agent.labels[name] ?? "");
      const key = JSON.stringify(values);
      const point = counts.get(key) ?? {
        value: 0,
        // Dots of attribute names have no place in a label of Prometheus.
        labels: Object.fromEntries(
          labels.map((name, index) => [name.replaceAll(/\W/g, "_"), values[index] ?? ""]),
        ),
      };
      counts.set(key, { ...point, value: point.value + 1 });
    }
    return [...counts.values()];
  }

  #readEvents(): void {
    const { events } = this.#options;
    while (this.#seen < events.last) {
      this.#seen += 1;
      const published = events.get(this.#seen);
      if (published !== undefined) this.#read(published);
    }
  }

  #read({ at, event }: PublishedEvent): void {
    if (event.type === "agent.changed" && event.changed.includes("health"))
      this.#healthChanged(event.agent_id);
    if (event.type === "rollout.changed") this.#rolloutChanged(event.rollout, event.state);
    if (event.type !== "offer.made" && event.type !== "offer.answered") return;
    if (event.kind !== "configuration") return;
    const offer = `${event.agent_id} ${event.hash}`;
    if (event.type === "offer.answered") this.#answered(offer, event.status, at);
    else if (this.#offeredAt.size < maxTimed) this.#offeredAt.set(offer, at);
  }

  #answered(offer: string, status: string, at: number): void {
    if (status !== "APPLIED" && status !== "FAILED") return;
    const offeredAt = this.#offeredAt.get(offer);
    // What was not offered by this process was counted when it was first answered.
    if (offeredAt === undefined) return;
    this.#offeredAt.delete(offer);
    this.#updates.add(status === "APPLIED" ? "success" : "failure");
    if (at - offeredAt <= longestMs) this.#durations.observe((at - offeredAt) / 1000);
  }

  #rolloutChanged(rollout: string, state: string): void {
    if (state !== "rolling-back") this.#goingBack.delete(rollout);
    else if (!this.#goingBack.has(rollout)) {
      this.#goingBack.add(rollout);
      this.#rollbacks += 1;
    }
  }

  #healthChanged(id: string): void {
    const healthy = this.#options.fleet.get(id)?.state.health?.healthy !== false;
    if (healthy) this.#unhealthy.delete(id);
    else if (!this.#unhealthy.has(id)) {
      this.#unhealthy.add(id);
      this.#healthFailures += 1;
    }
  }
}
