import { RolloutError } from "../rollouts/rollout-error.ts";
import { StrategyError } from "../rollouts/strategy/parse-strategy.ts";
import { ProblemError, type ProblemName } from "./problem.ts";

const names = {
  "no-such-rollout": "no-such-rollout",
  "no-such-configuration": "no-such-configuration",
  "no-such-strategy": "no-such-strategy",
  "not-now": "rollout-not-now",
  quarantined: "hash-quarantined",
  forbidden: "not-yours-to-approve",
} as const satisfies Record<RolloutError["problem"], ProblemName>;

/** Does something with rollouts, and answers what is wrong with the wish. @throws ProblemError */
export async function orProblem<T>(work: () => Promise<T> | T): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof RolloutError) throw new ProblemError(names[error.problem], error.message);
    if (error instanceof StrategyError) throw new ProblemError("bad-strategy", error.message);
    throw error;
  }
}
