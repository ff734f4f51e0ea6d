import type { Agent } from "./agent.ts";

/**
 * How an Agent is, in one word. `gone`: not connected, it said good-bye or its connection was lost. `stale`: it
 * counts as connected, but was not heard for long. `unknown`: it says nothing of its health.
 */
export type Condition = "healthy" | "unhealthy" | "unknown" | "stale" | "gone";

/** Times in milliseconds, `now` since the Unix epoch. */
export function conditionOf(
  { lastSeen, presence, state }: Pick<Agent, "lastSeen" | "presence" | "state">,
  { now, staleAfterMs }: { now: number; staleAfterMs: number },
): Condition {
  if (presence.t === "gone") return "gone";
  if (now - lastSeen > staleAfterMs) return "stale";
  if (state.health === undefined) return "unknown";
  return state.health.healthy ? "healthy" : "unhealthy";
}
