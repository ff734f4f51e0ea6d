import type { Transaction } from "kysely";
import type { OfferKind } from "../fleet/agent.ts";
import type { Database } from "../storage/database.ts";
import type { Tables } from "../storage/tables.ts";
import type { Rollout } from "./course/rollout.ts";

/** A hash that was rolled back: nothing offers it again but under a new one. */
export interface Quarantined {
  readonly kind: string;
  readonly hash: string;
  /** Unix milliseconds. */
  readonly at: number;
  readonly rollout_id: string;
  readonly reason: string;
}

/** Every hash that is not offered again, newest first. */
export function listQuarantined({ query }: Pick<Database, "query">): Promise<Quarantined[]> {
  return query.selectFrom("quarantined_hashes").selectAll().orderBy("at", "desc").execute();
}

export async function isQuarantined(
  { query }: Pick<Database, "query">,
  kind: OfferKind,
  hash: string,
): Promise<Quarantined | undefined> {
  return await query
    .selectFrom("quarantined_hashes")
    .selectAll()
    .where("kind", "=", kind)
    .where("hash", "=", hash)
    .executeTakeFirst();
}

/** Puts all that a rollout brought into quarantine. */
export async function quarantine(
  transaction: Transaction<Tables>,
  { id, changes }: Rollout,
  reason: string,
  now: number,
): Promise<void> {
  await transaction
    .insertInto("quarantined_hashes")
    .values(changes.map(({ kind, hash }) => ({ kind, hash, at: now, rollout_id: id, reason })))
    .onConflict((conflict) => conflict.columns(["kind", "hash"]).doNothing())
    .execute();
}
