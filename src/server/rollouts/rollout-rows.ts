import { setImmediate as nextTurn } from "node:timers/promises";
import type { Transaction } from "kysely";
import type { Database } from "../storage/database.ts";
import type { Tables } from "../storage/tables.ts";
import type { Member, Rollout, StoryEntry } from "./course/rollout.ts";
import { isUnderWay } from "./course/state.ts";
import { parseStrategy } from "./strategy/parse-strategy.ts";

/** Rows of one statement; SQLite takes no more than 32,766 values. */
const rowsAtOnce = 250;

/** Another server has written this rollout since it was read here: what was decided on it is void. */
export class StaleRolloutError extends Error {
  override readonly name = "StaleRolloutError";
}

/**
 * Writes a rollout and what came of a decision on it, which was made on `version` of it; 0 for a new one.
 * @throws StaleRolloutError when another server was faster; the transaction is to fail then.
 */
export async function saveRollout(
  transaction: Transaction<Tables>,
  rollout: Rollout,
  version: number,
  members: readonly Member[],
  story: readonly StoryEntry[],
): Promise<void> {
  const { strategy, ...rest } = rollout;
  const row = {
    under_way: isUnderWay(rollout.state) ? 1 : 0,
    version: version + 1,
    document: JSON.stringify({ ...rest, strategy: strategy.document }),
  };
  if (version === 0) {
    const created = { id: rollout.id, created_at: rollout.createdAt, ...row };
    await transaction.insertInto("rollouts").values(created).execute();
  } else {
    const { numUpdatedRows } = await transaction
      .updateTable("rollouts")
      .set(row)
      .where("id", "=", rollout.id)
      .where("version", "=", version)
      .executeTakeFirst();
    if (numUpdatedRows === 0n)
      throw new StaleRolloutError(`rollout ${rollout.id} was written by another server`);
  }
  for (let start = 0; start < members.length; start += rowsAtOnce) {
    // SQLite answers without a wait: Agents would not be heard until the last row is written.
    if (start > 0) await nextTurn();
    await saveMembers(transaction, rollout.id, members.slice(start, start + rowsAtOnce));
  }
  if (story.length === 0) return;
  const { last } = await transaction
    .selectFrom("rollout_story")
    .select(({ fn }) => fn.max("number").as("last"))
    .where("rollout_id", "=", rollout.id)
    .executeTakeFirstOrThrow();
  await transaction
    .insertInto("rollout_story")
    .values(
      story.map((entry, index) => ({
        rollout_id: rollout.id,
        number: Number(last) + 1 + index,
        at: entry.at,
        document: JSON.stringify(entry),
      })),
    )
    .execute();
}

async function saveMembers(
  transaction: Transaction<Tables>,
  rolloutId: string,
  members: readonly Member[],
): Promise<void> {
  await transaction
    .insertInto("rollout_members")
    .values(
      members.map((member) => ({
        rollout_id: rolloutId,
        uid: member.id,
        released_at: member.releasedAt ?? null,
        document: JSON.stringify(member),
      })),
    )
    .onConflict((conflict) =>
      conflict.columns(["rollout_id", "uid"]).doUpdateSet((row) => ({
        released_at: row.ref("excluded.released_at"),
        document: row.ref("excluded.document"),
      })),
    )
    .execute();
}

/** A rollout, and which version of it that is. */
export interface Versioned {
  readonly rollout: Rollout;
  readonly version: number;
}

/** All rollouts, newest first. */
export async function loadRollouts({ query }: Pick<Database, "query">): Promise<Versioned[]> {
  const rows = await query
    .selectFrom("rollouts")
    .select(["document", "version"])
    .orderBy("created_at", "desc")
    .orderBy("id")
    .execute();
  return rows.map(({ document, version }) => ({ rollout: rolloutOf(document), version }));
}

/** One of them, if it is there. */
export async function loadRollout(
  { query }: Pick<Database, "query">,
  id: string,
): Promise<Versioned | undefined> {
  const row = await query
    .selectFrom("rollouts")
    .select(["document", "version"])
    .where("id", "=", id)
    .executeTakeFirst();
  return row && { rollout: rolloutOf(row.document), version: row.version };
}

/** The Agents of its stages, by instance UID. */
export async function loadMembers(
  { query }: Pick<Database, "query">,
  rolloutId: string,
): Promise<Map<string, Member>> {
  const rows = await query
    .selectFrom("rollout_members")
    .select(["uid", "document"])
    .where("rollout_id", "=", rolloutId)
    .execute();
  return new Map(rows.map(({ uid, document }) => [uid, JSON.parse(document) as Member]));
}

/** What was decided, in order. */
export async function loadStory(
  { query }: Pick<Database, "query">,
  rolloutId: string,
): Promise<StoryEntry[]> {
  const rows = await query
    .selectFrom("rollout_story")
    .select("document")
    .where("rollout_id", "=", rolloutId)
    .orderBy("number")
    .execute();
  return rows.map(({ document }) => JSON.parse(document) as StoryEntry);
}

function rolloutOf(document: string): Rollout {
  const { strategy, ...rest } = JSON.parse(document) as Omit<Rollout, "strategy"> & { strategy: unknown };
  return { ...rest, strategy: parseStrategy(strategy) };
}
