import type { Transaction } from "kysely";
import { everyAgent } from "../../opamp/selector.ts";
import { takeRevisions } from "../storage/revisions.ts";
import type { Tables } from "../storage/tables.ts";
import { contents } from "./contents.ts";
import type { NewRule } from "./rule.ts";

/**
 * How many rules of one selector stay, hidden below the newest: what can be gone back to. Rollouts go back no
 * further than five.
 */
const keptBelow = 10;

/** Writes rules and what they offer, and returns their numbers. `now` is in Unix milliseconds. */
export async function insertRules(
  transaction: Transaction<Tables>,
  rules: readonly NewRule[],
  now: number,
): Promise<number[]> {
  const last = await takeRevisions(transaction, "rules", rules.length);
  const numbers = rules.map((_, index) => last - rules.length + 1 + index);
  for (const [index, rule] of rules.entries()) {
    const number = numbers[index] as number;
    await contents.save(transaction, rule, now);
    await transaction
      .insertInto("rules")
      .values({
        number,
        lane: rule.kind,
        what: rule.desired.hashHex,
        selector: rule.selector.text,
        state: "active",
        bundle: rule.bundle ?? null,
        rollout_id: rule.rolloutId ?? null,
        created_at: now,
        ended_at: null,
        revision: number,
      })
      .execute();
    if (rule.rolloutId === undefined) await retireHidden(transaction, rule, now);
  }
  return numbers;
}

/** Ends rules: the Agents that followed them fall to the rule below. Returns how many were active. */
export async function withdrawRules(
  transaction: Transaction<Tables>,
  numbers: readonly number[],
  now: number,
): Promise<number> {
  if (numbers.length === 0) return 0;
  const revision = await takeRevisions(transaction, "rules");
  const { numUpdatedRows } = await transaction
    .updateTable("rules")
    .set({ state: "withdrawn", ended_at: now, revision })
    .where("number", "in", numbers)
    .where("state", "=", "active")
    .executeTakeFirst();
  return Number(numUpdatedRows);
}

/** The rollout is done: its rules apply to all that their selectors pick, from now on. */
export async function releaseRules(
  transaction: Transaction<Tables>,
  rolloutId: string,
  now: number,
): Promise<void> {
  const revision = await takeRevisions(transaction, "rules");
  const released = await transaction
    .updateTable("rules")
    .set({ rollout_id: null, revision })
    .where("rollout_id", "=", rolloutId)
    .where("state", "=", "active")
    .returning(["lane", "selector"])
    .execute();
  for (const { lane, selector } of released)
    await retireHidden(transaction, { kind: lane, selector: { text: selector } }, now);
}

/** Without this the list would only grow: what newer rules hide completely can only be gone back to. */
async function retireHidden(
  transaction: Transaction<Tables>,
  { kind, selector }: { kind: string; selector: { text: string } },
  now: number,
): Promise<void> {
  const plain = transaction
    .selectFrom("rules")
    .select("number")
    .where("lane", "=", kind)
    .where("state", "=", "active")
    .where("rollout_id", "is", null);
  const oldestKept = await plain
    .where("selector", "=", selector.text)
    .orderBy("number", "desc")
    .offset(keptBelow)
    .limit(1)
    .executeTakeFirst();
  if (oldestKept === undefined) return;
  const older = plain.where("number", "<", oldestKept.number);
  const hidden = await (selector.text === everyAgent.text
    ? older
    : older.where("selector", "=", selector.text)
  ).execute();
  if (hidden.length === 0) return;
  const revision = await takeRevisions(transaction, "rules");
  const numbers = hidden.map(({ number }) => number);
  await transaction
    .updateTable("rules")
    .set({ state: "retired", ended_at: now, revision })
    .where("number", "in", numbers)
    .execute();
}
