import type { Stage } from "../strategy/strategy.ts";
import { type Candidate, isCanary } from "./candidate.ts";
import { inOrder } from "./order.ts";

/** Why an Agent is in the stage it is in. */
export type Because = "canary" | "share" | "replacement" | "late";

/** An Agent to be added to a stage. */
export interface Placed<T extends Candidate = Candidate> {
  readonly agent: T;
  readonly because: Because;
}

export interface PlacingContext {
  readonly rolloutId: string;
  /** Counted from 0. */
  readonly stageIndex: number;
  readonly stage: Stage;
  /** Members already, of this stage or an earlier one: they stay members, whatever comes and goes. */
  readonly isMember: (agentId: string) => boolean;
  /** Members that were offered it and do not answer; somebody else takes their place in the share. */
  readonly isSilent: (agentId: string) => boolean;
  /** How many it was to have when it was begun; undefined when it begins now. What comes later does not grow it. */
  readonly wantedAtBegin: number | undefined;
}

/** Who is added to a stage, and how much of it is there then. */
export interface Placing<T extends Candidate = Candidate> {
  readonly added: readonly Placed<T>[];
  /** How many Agents that can be reached the stage is to have, earlier stages included. */
  readonly wanted: number;
  /** How many it could have: those its selector picks that can be reached and are not blocked. */
  readonly eligible: number;
}

/**
 * Fills a stage. The order is fixed by {@link inOrder}; the stage takes from its start until it has its share
 * of those that can be reached. Who cannot be reached and stands among them is a member too and is offered it
 * when it comes back, but fills no place, so that hosts that are off make no stage empty. Members are never
 * taken out: a stage of 20 % has everybody of the stage of 5 %, although Agents come and go between them.
 */
export function placeInStage<T extends Candidate>(
  agents: readonly T[],
  { rolloutId, stageIndex, stage, isMember, isSilent, wantedAtBegin }: PlacingContext,
): Placing<T> {
  const open = agents.filter((agent) => agent.blocked === undefined);
  const matching = open.filter((agent) => stage.selector.matches(agent));
  const counts = (agent: T) => agent.reachable && !isSilent(agent.id);
  const eligible = matching.filter(counts).length;
  const everybody = stage.size.t === "share" && stage.size.share === 1;
  const wanted = everybody ? eligible : (wantedAtBegin ?? sizeIn(stage, eligible));
  const added: Placed<T>[] = [];
  // A canary by its label needs no selector: it is in the first stage whatever that picks.
  const isCanaryNow = (agent: T) => stageIndex === 0 && wantedAtBegin === undefined && isCanary(agent);
  for (const agent of inOrder(rolloutId, open.filter(isCanaryNow))) {
    if (!isMember(agent.id)) added.push({ agent, because: "canary" });
  }
  const isIn = (agent: T) => isMember(agent.id) || isCanaryNow(agent);
  let filled = matching.filter((agent) => counts(agent) && isIn(agent)).length;
  const later = everybody ? "late" : "replacement";
  // Ordering is dear: a stage is asked about every second, and where all get it at once there is no order.
  const inTurn = (those: readonly T[]) =>
    everybody && stage.maxUnderWay === undefined ? those : inOrder(rolloutId, those);
  const isFull = () => filled >= wanted && !everybody;
  const candidates = matching.filter((each) => !isIn(each));
  for (const agent of isFull() ? [] : inTurn(candidates)) {
    if (isFull()) break;
    added.push({ agent, because: wantedAtBegin === undefined ? "share" : later });
    if (counts(agent)) filled += 1;
  }
  return { added, wanted, eligible };
}

/** Half an Agent is one: a share of a small fleet is never nobody. */
function sizeIn({ size }: Stage, eligible: number): number {
  return size.t === "count"
    ? Math.min(size.count, eligible)
    : Math.max(0, Math.ceil(size.share * eligible - 1e-9));
}
