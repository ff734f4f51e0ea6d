import { setImmediate as nextTurn } from "node:timers/promises";
import type { Clock } from "../../foundation/clock.ts";
import type { Logger } from "../../foundation/logger.ts";
import type { Configuration } from "../configurations/configuration.ts";
import type { ConnectionOffer } from "../connections/connection-settings.ts";
import type { ServerEvents } from "../events.ts";
import type { Agent, Connection, OfferKind } from "../fleet/agent.ts";
import type { Fleet } from "../fleet/fleet.ts";
import type { PackageSet } from "../packages/package-set.ts";
import { offerKinds } from "./contents.ts";
import { type Composer, OfferLane, type OfferPart, type Parcel } from "./lane.ts";
import type { Rule } from "./rule.ts";
import type { RuleBook } from "./rule-book.ts";

/** What became of an offer to many, Agent by Agent. */
export interface OfferTally {
  /** Sent to these now. */
  offered: string[];
  /** Will get it when they are heard next. */
  pending: { id: string; reason: string }[];
  /** Are not offered it. */
  skipped: { id: string; reason: string }[];
}

/** What one Agent is to have. */
export interface Assigned {
  readonly configuration: Rule<Configuration> | undefined;
  readonly packages: Rule<PackageSet> | undefined;
  readonly connections: Rule<ConnectionOffer> | undefined;
}

export interface OfferingOptions {
  fleet: Fleet;
  rules: RuleBook;
  clock: Clock;
  log: Logger;
  events: ServerEvents;
  /** An offer that was not answered is made again no sooner. */
  repeatOfferAfterMs: number;
  configurations: Composer<Configuration>;
  packages: Composer<PackageSet>;
  connections: Composer<ConnectionOffer>;
}

/**
 * What goes in one message: an Agent takes or refuses all of it, so that only what was pushed together is sent
 * together. The rest is due with the next message.
 */
function firstMessage(parcels: readonly Parcel[]): readonly Parcel[] {
  const [first, second] = parcels;
  const isBundle = first?.bundle !== undefined && first.bundle === second?.bundle;
  return parcels.slice(0, isBundle ? 2 : 1);
}

/** Offers before whatever else waits gets its turn. */
const offersAtATime = 100;

/** What the fleet is to run, offered to each Agent when it is due. */
export class Offering {
  readonly #fleet: Fleet;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #events: ServerEvents;
  readonly #configurations: OfferLane<"configuration">;
  readonly #packages: OfferLane<"packages">;
  readonly #connections: OfferLane<"connections">;

  constructor({
    fleet,
    rules,
    clock,
    log,
    events,
    repeatOfferAfterMs,
    configurations,
    packages,
    connections,
  }: OfferingOptions) {
    this.#fleet = fleet;
    this.#clock = clock;
    this.#log = log;
    this.#events = events;
    const common = { rules, clock, repeatAfterMs: repeatOfferAfterMs };
    this.#configurations = new OfferLane({
      ...common,
      kind: "configuration",
      composer: configurations,
    });
    this.#packages = new OfferLane({ ...common, kind: "packages", composer: packages });
    this.#connections = new OfferLane({ ...common, kind: "connections", composer: connections });
  }

  /** The pushes that an Agent is to follow. */
  assignedTo(agent: Agent): Assigned {
    return {
      configuration: this.#configurations.ruleFor(agent),
      packages: this.#packages.ruleFor(agent),
      connections: this.#connections.ruleFor(agent),
    };
  }

  /** What the answer to a report is to carry; `reported` tells of which kinds the report has a status. */
  answerTo(agent: Agent, connection: Connection, reported: Readonly<Record<OfferKind, boolean>>): OfferPart {
    const due = [
      this.#configurations.dueTo(agent, reported.configuration),
      this.#packages.dueTo(agent, reported.packages),
      this.#connections.dueTo(agent, reported.connections),
    ];
    const parcels = due.flatMap((each) => (each.offer ? [each.parcel] : []));
    const { parts, packed } = this.#pack(agent, connection, firstMessage(parcels));
    this.#noteOffered(agent, packed);
    return parts;
  }

  /** Offers what is due to those of `agents` that can be reached now, after rules or their reach have changed. */
  async offerDue(
    kinds: Iterable<OfferKind> = offerKinds,
    agents: readonly Agent[] = this.#fleet.list(),
  ): Promise<ReadonlyMap<OfferKind, OfferTally>> {
    const results = [...kinds].map((kind) => ({
      lane: this.#laneOf(kind),
      result: { offered: [], pending: [], skipped: [] } satisfies OfferTally,
    }));
    await this.#offerToAll(agents, results);
    return new Map(results.map(({ lane, result }) => [lane.kind, result]));
  }

  /** In small groups: what Agents say meanwhile is heard between two of them. */
  async #offerToAll(agents: readonly Agent[], pushes: readonly Push[]): Promise<void> {
    for (let start = 0; start < agents.length; start += offersAtATime) {
      if (start > 0) await nextTurn();
      for (const { id } of agents.slice(start, start + offersAtATime)) {
        const agent = this.#fleet.get(id);
        if (agent !== undefined) this.#offerTo(agent, pushes);
      }
    }
  }

  #laneOf(kind: OfferKind): Pick<OfferLane, "kind" | "dueTo"> {
    switch (kind) {
      case "configuration":
        return this.#configurations;
      case "packages":
        return this.#packages;
      case "connections":
        return this.#connections;
    }
  }

  #offerTo(agent: Agent, pushes: readonly Push[]): void {
    const { id, presence } = agent;
    const due = pushes.map(({ lane }) => lane.dueTo(agent, false));
    for (const [index, each] of due.entries()) {
      if (!each.offer) pushes[index]?.result.skipped.push({ id, reason: each.reason });
    }
    const resultsOf = (kinds: readonly { kind: OfferKind }[]) =>
      pushes.filter(({ lane }) => kinds.some(({ kind }) => kind === lane.kind)).map(({ result }) => result);
    const defer = (parcels: readonly Parcel[], reason: string) => {
      for (const result of resultsOf(parcels)) result.pending.push({ id, reason });
    };
    const parcels = due.flatMap((each) => (each.offer ? [each.parcel] : []));
    switch (presence.t) {
      case "elsewhere":
        defer(parcels, "is connected to another server, which offers it");
        return;
      case "gone":
        defer(parcels, "is not connected: is offered it when it comes back");
        return;
      case "polling":
        defer(parcels, "polls over plain HTTP: is offered it at its next poll");
        return;
      case "websocket": {
        const { connection } = presence;
        const { parts, packed, left } = this.#pack(agent, connection, parcels);
        for (const { kind, reason } of left) {
          for (const result of resultsOf([{ kind }])) result.skipped.push({ id, reason });
        }
        if (packed.length === 0) return;
        if (!connection.send({ instanceUid: agent.state.instanceUid, ...parts })) {
          defer(packed, "could not be sent to now: is offered it when next heard");
          return;
        }
        for (const result of resultsOf(packed)) result.offered.push(id);
        this.#noteOffered(agent, packed);
      }
    }
  }

  /** One message of all that can be offered on this connection. */
  #pack(agent: Agent, connection: Connection, parcels: readonly Parcel[]): Packed {
    const packed: Parcel[] = [];
    const left: Packed["left"] = [];
    let parts: OfferPart = {};
    for (const parcel of parcels) {
      const composed = parcel.compose(connection);
      if ("part" in composed) {
        parts = { ...parts, ...composed.part };
        packed.push(parcel);
        continue;
      }
      const reason = composed.impossible;
      left.push({ kind: parcel.kind, reason });
      this.#log.warn({ event: "offer_impossible", agent_id: agent.id, reason }, "an offer cannot be made");
    }
    return { parts, packed, left };
  }

  #noteOffered(agent: Agent, parcels: readonly Parcel[]): void {
    const at = this.#clock.monotonic();
    for (const { kind, rule, hashHex } of parcels) {
      this.#fleet.noteOffered(agent, kind, { rule, hash: hashHex, at });
      this.#events.publish({ type: "offer.made", agent_id: agent.id, kind, hash: hashHex });
      const { prefix, hashField, noun } = logWords[kind];
      this.#log.info(
        { event: `${prefix}_offered`, agent_id: agent.id, [hashField]: hashHex },
        `${noun} offered`,
      );
    }
  }
}

/** How the log speaks of each kind. */
export const logWords = {
  configuration: { prefix: "config", hashField: "config_hash", noun: "configuration" },
  packages: { prefix: "packages", hashField: "packages_hash", noun: "packages" },
  connections: { prefix: "connections", hashField: "connections_hash", noun: "connection settings" },
} as const satisfies Record<OfferKind, unknown>;

interface Packed {
  readonly parts: OfferPart;
  readonly packed: Parcel[];
  readonly left: { kind: OfferKind; reason: string }[];
}

interface Push {
  lane: Pick<OfferLane, "kind" | "dueTo">;
  result: OfferTally;
}
