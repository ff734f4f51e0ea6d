/** A wish about rollouts that cannot be fulfilled; the message says why and what to do. */
export class RolloutError extends Error {
  override readonly name = "RolloutError";
  readonly problem:
    | "no-such-rollout"
    | "no-such-configuration"
    | "no-such-strategy"
    | "not-now"
    | "quarantined"
    | "forbidden";

  constructor(problem: RolloutError["problem"], message: string) {
    super(message);
    this.problem = problem;
  }
}
