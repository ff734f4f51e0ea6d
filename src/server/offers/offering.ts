import type { Clock } from "../../foundation/clock.ts";
import type { Logger } from "../../foundation/logger.ts";
import type { Configuration } from "../configurations/configuration.ts";
import type { Agent, Connection, OfferKind } from "../fleet/agent.ts";
import type { Fleet } from "../fleet/fleet.ts";
import type { Selector } from "../fleet/selector.ts";
import type { PackageSet } from "../packages/package-set.ts";
import type { Assignment } from "./assignments.ts";
import { type Composer, OfferLane, type OfferPart, type Parcel } from "./lane.ts";
import type { Offerable } from "./rules.ts";

/** What became of a push, Agent by Agent. */
export interface PushResult<T extends Offerable> {
  assignment: Assignment<T>;
  matched: number;
  /** Sent to these now. */
  offered: string[];
  /** Will get it when they are heard next. */
  pending: { id: string; reason: string }[];
  /** Are not offered it. */
  skipped: { id: string; reason: string }[];
}

/** What one Agent is to have. */
export interface Assigned {
  readonly configuration: Assignment<Configuration> | undefined;
  readonly packages: Assignment<PackageSet> | undefined;
}

export interface OfferingOptions {
  fleet: Fleet;
  clock: Clock;
  log: Logger;
  /** An offer that was not answered is made again no sooner. */
  repeatOfferAfterMs: number;
  packages: Composer<PackageSet>;
}

const composeConfiguration: Composer<Configuration> = {
  compose: ({ map, hash }) => ({ part: { remoteConfig: { config: map, configHash: hash } } }),
};

/**
 * What goes in one message: an Agent takes or refuses all of it, so that only what was pushed together is sent
 * together. The rest is due with the next message.
 */
function firstMessage(parcels: readonly Parcel[]): readonly Parcel[] {
  const [first, second] = parcels;
  const isBundle = first?.bundle !== undefined && first.bundle === second?.bundle;
  return isBundle ? parcels : parcels.slice(0, 1);
}

/** What the fleet is to run, offered to each Agent when it is due. */
export class Offering {
  readonly #fleet: Fleet;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #configurations: OfferLane<Configuration>;
  readonly #packages: OfferLane<PackageSet>;

  constructor({ fleet, clock, log, repeatOfferAfterMs, packages }: OfferingOptions) {
    this.#fleet = fleet;
    this.#clock = clock;
    this.#log = log;
    const common = { clock, repeatAfterMs: repeatOfferAfterMs };
    this.#configurations = new OfferLane({
      ...common,
      kind: "configuration",
      composer: composeConfiguration,
    });
    this.#packages = new OfferLane({ ...common, kind: "packages", composer: packages });
  }

  /** The pushes that an Agent is to follow. */
  assignedTo(agent: Agent): Assigned {
    return {
      configuration: this.#configurations.desiredFor(agent),
      packages: this.#packages.desiredFor(agent),
    };
  }

  /** What the answer to a report is to carry; `reported` tells of which kinds the report has a status. */
  answerTo(agent: Agent, connection: Connection, reported: Readonly<Record<OfferKind, boolean>>): OfferPart {
    const due = [
      this.#configurations.dueTo(agent, reported.configuration),
      this.#packages.dueTo(agent, reported.packages),
    ];
    const parcels = due.flatMap((each) => (each.offer ? [each.parcel] : []));
    const { parts, packed } = this.#pack(agent, connection, firstMessage(parcels));
    this.#noteOffered(agent, packed);
    return parts;
  }

  /** Makes a configuration the desired one and offers it at once to those that can be reached. */
  pushConfiguration(selector: Selector, configuration: Configuration): PushResult<Configuration> {
    const result = emptyResult(this.#configurations.push(selector, configuration));
    this.#offerNow(selector, [{ lane: this.#configurations, result }]);
    return result;
  }

  /** Makes these packages, and no others, the desired ones, and offers them at once. */
  pushPackages(selector: Selector, set: PackageSet): PushResult<PackageSet> {
    const result = emptyResult(this.#packages.push(selector, set));
    this.#offerNow(selector, [{ lane: this.#packages, result }]);
    return result;
  }

  /** Both at once: an Agent gets them in one message, so that neither is tried without the other. */
  pushBoth(
    selector: Selector,
    configuration: Configuration,
    set: PackageSet,
  ): { configuration: PushResult<Configuration>; packages: PushResult<PackageSet> } {
    const bundle = Symbol("pushed together");
    const results = {
      configuration: emptyResult(this.#configurations.push(selector, configuration, bundle)),
      packages: emptyResult(this.#packages.push(selector, set, bundle)),
    };
    this.#offerNow(selector, [
      { lane: this.#configurations, result: results.configuration },
      { lane: this.#packages, result: results.packages },
    ]);
    return results;
  }

  #offerNow(selector: Selector, pushes: readonly Push[]): void {
    const agents = this.#fleet.list(selector);
    for (const { result } of pushes) result.matched = agents.length;
    for (const agent of agents) this.#offerTo(agent, pushes);
    for (const { lane, result } of pushes) this.#logPush(lane.kind, result);
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
    for (const { kind, assignment, hashHex } of parcels) {
      this.#fleet.noteOffer(agent, kind, { offered: { assignment, session: agent.session, at } });
      const { prefix, hashField, noun } = logWords[kind];
      this.#log.info(
        { event: `${prefix}_offered`, agent_id: agent.id, [hashField]: hashHex },
        `${noun} offered`,
      );
    }
  }

  #logPush(kind: OfferKind, { assignment, matched, offered }: PushResult<Offerable>): void {
    const { prefix, hashField, noun } = logWords[kind];
    this.#log.info(
      {
        event: `${prefix}_pushed`,
        [hashField]: assignment.desired.hashHex,
        selector: assignment.selector.text,
        matched,
        offered: offered.length,
      },
      `${noun} pushed`,
    );
  }
}

const logWords = {
  configuration: { prefix: "config", hashField: "config_hash", noun: "configuration" },
  packages: { prefix: "packages", hashField: "packages_hash", noun: "packages" },
} as const satisfies Record<OfferKind, unknown>;

interface Packed {
  readonly parts: OfferPart;
  readonly packed: Parcel[];
  readonly left: { kind: OfferKind; reason: string }[];
}

interface Push {
  lane: Pick<OfferLane<never>, "kind" | "dueTo">;
  result: PushResult<Offerable>;
}

function emptyResult<T extends Offerable>(assignment: Assignment<T>): PushResult<T> {
  return { assignment, matched: 0, offered: [], pending: [], skipped: [] };
}
