import { describeProblem, TemplateError } from "../configurations/template-error.ts";
import { NoSuchVersionError } from "../configurations/versions.ts";
import { ConfigurationBodyError } from "../configurations/yaml-body.ts";
import { ProblemError } from "./problem.ts";
import { orProblem } from "./rollout-problems.ts";

/** Does something with configurations, and answers what is wrong with the wish. @throws ProblemError */
export async function orConfigurationProblem<T>(work: () => Promise<T> | T): Promise<T> {
  return await orProblem(async () => {
    try {
      return await work();
    } catch (error) {
      if (error instanceof NoSuchVersionError) {
        throw new ProblemError("no-such-configuration", error.message);
      }
      if (error instanceof ConfigurationBodyError) {
        throw new ProblemError("bad-configuration", error.message);
      }
      if (!(error instanceof TemplateError)) throw error;
      const errors = error.problems.map(({ place, message }) => ({
        in: "body" as const,
        field: place,
        message,
      }));
      throw new ProblemError("bad-configuration", error.problems.map(describeProblem).join("; "), { errors });
    }
  });
}
