import type { Agent, OfferKind } from "../fleet/agent.ts";
import type { Return } from "./course/rollback.ts";
import type { Member, Rollout } from "./course/rollout.ts";
import { answerOf, canAnswer, isReachable } from "./observe.ts";

export interface ReturnOptions {
  rollout: Rollout;
  /** Hash of what an Agent is to have now, the rolled back rule being gone; undefined: nothing. */
  hashFor: (kind: OfferKind, agent: Agent) => string | undefined;
  /** When the way back began, in Unix milliseconds. */
  since: number;
  now: number;
}

/** How far an Agent that was released is on its way back, by what it says of the hash it is to have now. */
export function returnOf(agent: Agent, member: Member, options: ReturnOptions): Return {
  const { rollout, hashFor, since, now } = options;
  // It never was offered it, so that it has what it had.
  if (member.offeredAt === undefined && member.answer.t === "none" && !isReachable(agent))
    return { t: "back" };
  const below = rollout.changes.flatMap((change) => {
    const hash = hashFor(change.kind, agent);
    return hash === undefined ? [] : [{ ...change, hash }];
  });
  if (below.length === 0) return { t: "nothing-below" };
  const answer = answerOf(agent, below, { t: "none" }, now);
  if (answer.t === "applied") return { t: "back" };
  if (answer.t === "failed") return { t: "failed", reason: answer.reason };
  if (!isReachable(agent)) return { t: "away" };
  if (!canAnswer(agent, below)) return { t: "back" };
  return { t: now - since >= rollout.strategy.answerBudgetMs ? "silent" : "under-way" };
}
