import type { Clock } from "../../foundation/clock.ts";
import type { ServerToAgentInit } from "../../opamp/server/contract.ts";
import type { Agent, Connection, OfferKind } from "../fleet/agent.ts";
import { refusalReason } from "./refusal.ts";
import type { Offered, Rule } from "./rule.ts";
import type { RuleBook } from "./rule-book.ts";

/** The part of a message that makes an offer. */
export type OfferPart = Pick<
  Exclude<ServerToAgentInit, { $typeName: unknown }>,
  "remoteConfig" | "packagesAvailable" | "connectionSettings"
>;

/** That part, or why there can be none. */
export type Composed = { part: OfferPart } | { impossible: string };

/** How one kind of thing is offered. */
export interface Composer<T> {
  /** Why it can be offered to nobody now; left out: it always can. */
  obstacle?: (desired: T) => string | undefined;
  compose(desired: T, connection: Connection, agent: Agent): Composed;
}

/** What is due to an Agent, or in words for the operator why nothing is. */
export type Due = { offer: true; parcel: Parcel } | { offer: false; reason: string };

/** Something to offer; what it is no longer matters. */
export interface Parcel {
  /** See {@link Rule.bundle}. */
  readonly bundle: string | undefined;
  readonly kind: OfferKind;
  /** Number of the rule. */
  readonly rule: number;
  readonly hashHex: string;
  compose(connection: Connection): Composed;
}

export interface LaneOptions<Kind extends OfferKind> {
  kind: Kind;
  rules: RuleBook;
  clock: Clock;
  /** An offer that was not answered is made again no sooner. */
  repeatAfterMs: number;
  composer: Composer<Offered[Kind]>;
}

/** One kind of thing that is offered: what every Agent is to have of it, and whether it is due now. */
export class OfferLane<Kind extends OfferKind = OfferKind> {
  readonly #options: LaneOptions<Kind>;

  constructor(options: LaneOptions<Kind>) {
    this.#options = options;
  }

  get kind(): Kind {
    return this.#options.kind;
  }

  /** What the Agent is to have, or undefined when nothing was pushed for it. */
  ruleFor(agent: Agent): Rule<Offered[Kind]> | undefined {
    return this.#options.rules.newestFor(this.kind, agent);
  }

  /** `statusReported`: whether the message being answered carries the status of this kind. */
  dueTo(agent: Agent, statusReported: boolean): Due {
    const { kind, clock, repeatAfterMs, composer } = this.#options;
    const rule = this.ruleFor(agent);
    if (rule === undefined) return { offer: false, reason: "nothing is assigned" };
    const { number, desired, bundle } = rule;
    const context = { statusReported, now: clock.monotonic(), repeatAfterMs };
    const reason = refusalReason(agent, kind, rule, context) ?? composer.obstacle?.(desired);
    if (reason !== undefined) return { offer: false, reason };
    return {
      offer: true,
      parcel: {
        kind,
        rule: number,
        bundle,
        hashHex: desired.hashHex,
        compose: (connection) => composer.compose(desired, connection, agent),
      },
    };
  }
}
