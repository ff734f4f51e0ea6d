import type { Kysely, Transaction } from "kysely";
import type { Tables } from "./tables.ts";

/** Kinds of rows that replicas read from each other. */
type RevisionName = Tables["revisions"]["name"];

/**
 * Takes the next `count` numbers of a counter and returns the last. The row stays locked until the transaction
 * ends, so that who reads everything above the last number it saw misses nothing that is committed later.
 */
export async function takeRevisions(
  transaction: Transaction<Tables>,
  name: RevisionName,
  count = 1,
): Promise<number> {
  const { value } = await transaction
    .updateTable("revisions")
    .set(({ eb }) => ({ value: eb("value", "+", count) }))
    .where("name", "=", name)
    .returning("value")
    .executeTakeFirstOrThrow();
  return value;
}

/** The last number that was taken. */
export async function lastRevision(query: Kysely<Tables>, name: RevisionName): Promise<number> {
  const { value } = await query
    .selectFrom("revisions")
    .select("value")
    .where("name", "=", name)
    .executeTakeFirstOrThrow();
  return value;
}
