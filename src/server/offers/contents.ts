import type { Kysely, Transaction } from "kysely";
import { configurationRows } from "../configurations/configuration-rows.ts";
import { connectionRows } from "../connections/connection-rows.ts";
import type { OfferKind } from "../fleet/agent.ts";
import { packageSetRows } from "../packages/package-set-rows.ts";
import type { Tables } from "../storage/tables.ts";
import type { NewRule, Offered } from "./rule.ts";

/** Keeps what one kind of offer is made of: by its hash, written once and never changed. */
export interface ContentRows<T> {
  save(transaction: Transaction<Tables>, content: T, now: number): Promise<void>;
  load(query: Kysely<Tables>, hash: string): Promise<T | undefined>;
}

const rowsOf: { readonly [Kind in OfferKind]: ContentRows<Offered[Kind]> } = {
  configuration: configurationRows,
  packages: packageSetRows,
  connections: connectionRows,
};

export const offerKinds = Object.keys(rowsOf) as OfferKind[];

/** What rules name by its hash. */
export const contents = {
  save(transaction: Transaction<Tables>, { kind, desired }: NewRule, now: number): Promise<void> {
    switch (kind) {
      case "configuration":
        return rowsOf.configuration.save(transaction, desired, now);
      case "packages":
        return rowsOf.packages.save(transaction, desired, now);
      case "connections":
        return rowsOf.connections.save(transaction, desired, now);
    }
  },
  load(query: Kysely<Tables>, kind: OfferKind, hash: string): Promise<Offered[OfferKind] | undefined> {
    return rowsOf[kind].load(query, hash);
  },
};
