import type { Transaction } from "kysely";
import type { Database } from "../storage/database.ts";
import type { Tables } from "../storage/tables.ts";
import type { Member, Rollout, StoryEntry } from "./course/rollout.ts";
import { isUnderWay } from "./course/state.ts";
import { parseStrategy } from "./strategy/parse-strategy.ts";

/** Rows of one statement; SQLite takes no more than 32,766 values. */
const rowsAtOnce = 500;

/** Writes a rollout and what came of a decision on it. */
export async function saveRollout(
  transaction: Transaction<Tables>,
  rollout: Rollout,
  members: readonly Member[],
  story: readonly StoryEntry[],
): Promise<void> {
  const { strategy, ...rest } = rollout;
  const row = {
    id: rollout.id,
    created_at: rollout.createdAt,
    under_way: isUnderWay(rollout.state) ? 1 : 0,
    document: JSON.stringify({ ...rest, strategy: strategy.document }),
  };
  await transaction
    .insertInto("rollouts")
    .values(row)
    .onConflict((conflict) =>
      conflict.column("id").doUpdateSet({ under_way: row.under_way, document: row.document }),
    )
    .execute();
  for (let start = 0; start < members.length; start += rowsAtOnce) {
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

/** All rollouts, newest first. */
export async function loadRollouts({ query }: Pick<Database, "query">): Promise<Rollout[]> {
  const rows = await query
    .selectFrom("rollouts")
    .select("document")
    .orderBy("created_at", "desc")
    .orderBy("id")
    .execute();
  return rows.map(({ document }) => rolloutOf(document));
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
