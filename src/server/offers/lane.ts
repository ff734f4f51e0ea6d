import type { Clock } from "../../foundation/clock.ts";
import type { ServerToAgentInit } from "../../opamp/server/contract.ts";
import type { Agent, Connection, OfferKind } from "../fleet/agent.ts";
import type { Selector } from "../fleet/selector.ts";
import { type Assignment, Assignments } from "./assignments.ts";
import { type Offerable, refusalReason } from "./rules.ts";

/** The part of a message that makes an offer. */
export type OfferPart = Pick<
  Exclude<ServerToAgentInit, { $typeName: unknown }>,
  "remoteConfig" | "packagesAvailable"
>;

/** That part, or why there can be none. */
export type Composed = { part: OfferPart } | { impossible: string };

/** How one kind of thing is offered. */
export interface Composer<T> {
  /** Why it can be offered to nobody now; left out: it always can. */
  obstacle?: (desired: T) => string | undefined;
  compose(desired: T, connection: Connection): Composed;
}

/** What is due to an Agent, or in words for the operator why nothing is. */
export type Due = { offer: true; parcel: Parcel } | { offer: false; reason: string };

/** Something to offer; what it is no longer matters. */
export interface Parcel {
  /** See {@link Assignment.bundle}. */
  readonly bundle: symbol | undefined;
  readonly kind: OfferKind;
  readonly assignment: number;
  readonly hashHex: string;
  compose(connection: Connection): Composed;
}

export interface LaneOptions<T> {
  kind: OfferKind;
  clock: Clock;
  /** An offer that was not answered is made again no sooner. */
  repeatAfterMs: number;
  composer: Composer<T>;
}

/** One kind of thing that is offered: what every Agent is to have of it, and whether it is due now. */
export class OfferLane<T extends Offerable> {
  readonly #assignments = new Assignments<T>();
  readonly #options: LaneOptions<T>;

  constructor(options: LaneOptions<T>) {
    this.#options = options;
  }

  get kind(): OfferKind {
    return this.#options.kind;
  }

  push(selector: Selector, desired: T, bundle?: symbol): Assignment<T> {
    return this.#assignments.push(selector, desired, bundle);
  }

  desiredFor(agent: Agent): Assignment<T> | undefined {
    return this.#assignments.desiredFor(agent);
  }

  /** `statusReported`: whether the message being answered carries the status of this kind. */
  dueTo(agent: Agent, statusReported: boolean): Due {
    const { kind, clock, repeatAfterMs, composer } = this.#options;
    const assignment = this.#assignments.desiredFor(agent);
    if (assignment === undefined) return { offer: false, reason: "nothing is assigned" };
    const { number, desired, bundle } = assignment;
    const context = { statusReported, now: clock.monotonic(), repeatAfterMs };
    const reason = refusalReason(agent, kind, assignment, context) ?? composer.obstacle?.(desired);
    if (reason !== undefined) return { offer: false, reason };
    return {
      offer: true,
      parcel: {
        kind,
        assignment: number,
        bundle,
        hashHex: desired.hashHex,
        compose: (connection) => composer.compose(desired, connection),
      },
    };
  }
}
