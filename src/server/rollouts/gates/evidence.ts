import type { Rates } from "./rates.ts";

/** What a member made of what it was offered. Times are Unix milliseconds by this server's clock. */
export type Answer =
  | { readonly t: "none" }
  | { readonly t: "applied"; readonly at: number }
  | { readonly t: "failed"; readonly at: number; readonly reason: string };

/** All that the gates look at of one Agent that has been released. */
export interface MemberFacts {
  readonly id: string;
  readonly stage: number;
  /** When an offer first could reach it; undefined while it was never reachable since its release. */
  readonly offeredAt: number | undefined;
  readonly reachable: boolean;
  readonly answer: Answer;
  /** It says that it applied this, but something else runs. */
  readonly runsOther: boolean;
  /** Undefined: it says nothing of its health. */
  readonly healthy: boolean | undefined;
  readonly crashLooping: boolean;
  /** As it was when it was released; what was so before is not held against the change. */
  readonly before: { readonly healthy: boolean | undefined; readonly crashLooping: boolean };
  /** Whether it tells figures at all. */
  readonly tellsFigures: boolean;
  readonly ratesBefore: Rates | undefined;
  /** Since it applied this; undefined until there are two messages to compare. */
  readonly rates: Rates | undefined;
}

/** Agents of the rollout that it has not reached: what befalls them as well is not its doing. */
export interface RestFacts {
  readonly agents: number;
  /** Shares of these, 0 to 1. */
  readonly disconnected: number;
  readonly unhealthy: number;
  readonly crashLooping: number;
  readonly rates: Rates;
}

/** What came of a query gate's query. */
export type QueryResult =
  | { readonly t: "value"; readonly value: number; readonly at: number }
  | { readonly t: "failed"; readonly reason: string };

/** Everything a stage is judged on, at one moment. */
export interface Evidence {
  /** All that were released, of this stage and those before it. */
  readonly members: readonly MemberFacts[];
  /** Undefined where nobody is left. */
  readonly rest: RestFacts | undefined;
  /** The same when the stage began. */
  readonly restBefore: RestFacts | undefined;
  /** By name of the query. */
  readonly queries: Readonly<Record<string, QueryResult>>;
}

/** Whether a member was offered it, has not answered, and has had the time to. */
export function isSilent(
  { offeredAt, answer }: Pick<MemberFacts, "offeredAt" | "answer">,
  now: number,
  budgetMs: number,
): boolean {
  return answer.t === "none" && offeredAt !== undefined && now - offeredAt >= budgetMs;
}
