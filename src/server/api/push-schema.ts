import * as z from "zod";
import type { OfferTally } from "../offers/offering.ts";
import type { Started } from "../rollouts/rollouts.ts";

const withReason = z.array(z.object({ id: z.string(), reason: z.string() }));

/** Whom a push reached, Agent by Agent. */
export const pushedTo = {
  offered: z.int().describe("Sent to that many now"),
  pending: withReason.describe("Will get it when they are heard next"),
  skipped: withReason.describe("Are not offered it"),
};

/** What came of it, as `pushedTo` describes it. */
export function pushedView(tally: OfferTally | undefined) {
  const { offered = [], pending = [], skipped = [] } = tally ?? {};
  return { offered: offered.length, pending, skipped };
}

/** `?strategy=` of every route that starts a rollout. */
export const strategyParameter = z
  .string()
  .min(1)
  .optional()
  .describe("The rollout's strategy; immediate: all at once. Left out: rollouts.default_strategy");

/** The rollout that a push has started. */
export const startedRollout = {
  rollout: z.string().describe("The rollout's id"),
  strategy: z.string(),
};

export function rolloutOf({ rollout }: Started) {
  return { rollout: rollout.id, strategy: rollout.strategy.name };
}
