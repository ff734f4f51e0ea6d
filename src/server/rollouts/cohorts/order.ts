import { createHash } from "node:crypto";
import { type Candidate, isCanary } from "./candidate.ts";

/**
 * The place of an Agent in a rollout, 0 to 1: the same whenever and wherever it is computed, and without
 * regard to who else is there. Another rollout shuffles anew, so that not always the same hosts go first.
 */
export function placeOf(rolloutId: string, agentId: string): number {
  const digest = createHash("sha256").update(rolloutId).update("\0").update(agentId).digest();
  return digest.readUIntBE(0, 6) / 2 ** 48;
}

/** The order in which a rollout reaches Agents: canaries by label, then all others, each by their place. */
export function inOrder<T extends Pick<Candidate, "id" | "labels">>(
  rolloutId: string,
  agents: readonly T[],
): T[] {
  return agents
    .map((agent) => ({ agent, rank: isCanary(agent) ? 0 : 1, place: placeOf(rolloutId, agent.id) }))
    .sort((a, b) => a.rank - b.rank || a.place - b.place || (a.agent.id < b.agent.id ? -1 : 1))
    .map(({ agent }) => agent);
}
