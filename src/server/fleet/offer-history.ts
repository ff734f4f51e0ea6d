import type { Kysely, Transaction } from "kysely";
import type { OffersTable } from "../offers/tables.ts";
import type { Tables } from "../storage/tables.ts";
import type { Agent, OfferEntry } from "./agent.ts";

/** Of each Agent, offers of all kinds together. */
const keptOffers = 50;
/** They are deleted this many at a time. */
const deletedTogether = 10;

export function offerRow(uid: string, lane: string, entry: OfferEntry): OffersTable {
  const { answer, hash, number, offeredAt, rule } = entry;
  return {
    uid,
    number,
    lane,
    hash,
    rule,
    offered_at: offeredAt,
    answer: answer?.status ?? null,
    answered_at: answer?.at ?? null,
    error: answer?.error ?? null,
  };
}

export async function writeOffers(transaction: Transaction<Tables>, rows: OffersTable[]): Promise<void> {
  await transaction
    .insertInto("offers")
    .values(rows)
    .onConflict((conflict) =>
      conflict.columns(["uid", "number"]).doUpdateSet((row) => ({
        answer: row.ref("excluded.answer"),
        answered_at: row.ref("excluded.answered_at"),
        error: row.ref("excluded.error"),
      })),
    )
    .execute();
}

/** Deletes what is too old of those Agents that have more than is kept. */
export async function forgetOffers(
  transaction: Transaction<Tables>,
  agents: readonly Agent[],
): Promise<void> {
  for (const { id, offerCount } of agents) {
    if (offerCount <= keptOffers || offerCount % deletedTogether !== 0) continue;
    await transaction
      .deleteFrom("offers")
      .where("uid", "=", id)
      .where("number", "<=", offerCount - keptOffers)
      .execute();
  }
}

/** What an Agent was offered and what it answered, newest first. */
export function offersOf(query: Kysely<Tables>, uid: string): Promise<OffersTable[]> {
  return query.selectFrom("offers").selectAll().where("uid", "=", uid).orderBy("number", "desc").execute();
}
