import type { Selectable, Selector } from "../../opamp/selector.ts";
import type { Configuration } from "../configurations/configuration.ts";
import type { ConnectionOffer } from "../connections/connection-settings.ts";
import type { OfferKind } from "../fleet/agent.ts";
import type { PackageSet } from "../packages/package-set.ts";

/** What each kind of offer is made of. */
export interface Offered {
  configuration: Configuration;
  packages: PackageSet;
  connections: ConnectionOffer;
}

/** Whoever the selector picks, now or later, is to have what is desired: the newest rule of a kind wins. */
export interface Rule<T = Offered[OfferKind]> {
  /** Grows with every rule, so that the same content pushed again is told from the first time. */
  readonly number: number;
  readonly selector: Selector;
  readonly desired: T;
  /** The same for a configuration and packages that were pushed together: neither is to be tried without the other. */
  readonly bundle: string | undefined;
  /** The rollout under way that decides whom the rule has reached so far; undefined: all that it picks. */
  readonly rolloutId: string | undefined;
}

/** Whom the rollouts under way have reached. */
export interface Reach {
  includes(rolloutId: string, agent: Selectable): boolean;
}

/** A rule to be issued. */
export type NewRule = {
  [Kind in OfferKind]: {
    kind: Kind;
    selector: Selector;
    desired: Offered[Kind];
    bundle?: string;
    rolloutId?: string;
  };
}[OfferKind];
