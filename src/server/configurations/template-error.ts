/** Something wrong with a configuration, and where: a path of keys such as `exporters.otlp.endpoint`. */
export interface PlacedProblem {
  readonly place: string;
  readonly message: string;
}

/** A template, values for it, or what came of them, that cannot be used. Never quotes a secret. */
export class TemplateError extends Error {
  override readonly name = "TemplateError";
  readonly problems: readonly PlacedProblem[];

  constructor(problems: readonly PlacedProblem[]) {
    super(problems.map(describeProblem).join("; "));
    this.problems = problems;
  }
}

export function describeProblem({ place, message }: PlacedProblem): string {
  return place === "" ? message : `${place}: ${message}`;
}
