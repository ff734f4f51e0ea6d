import type { Strategy } from "../strategy/strategy.ts";
import type { Candidate } from "./candidate.ts";
import { type Because, placeInStage } from "./placing.ts";

/** Where an Agent is, or will be as far as can be told now. */
export interface Place {
  /** Counted from 0. */
  readonly stage: number;
  readonly because: Because;
}

/** Who comes into which stage if nobody came or went from now on; those that are blocked come into none. */
export function planStages(
  rolloutId: string,
  strategy: Strategy,
  candidates: readonly Candidate[],
  members: ReadonlyMap<string, Place> = new Map(),
  nextStage = 0,
): Map<string, Place> {
  const places = new Map(members);
  for (const [stageIndex, stage] of strategy.stages.entries()) {
    if (stageIndex < nextStage) continue;
    const { added } = placeInStage(candidates, {
      rolloutId,
      stageIndex,
      stage,
      isMember: (id) => places.has(id),
      isSilent: () => false,
      wantedAtBegin: undefined,
    });
    for (const { agent, because } of added) places.set(agent.id, { stage: stageIndex, because });
  }
  return places;
}
