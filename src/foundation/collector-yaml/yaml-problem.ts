/** Text that is not one YAML map. The message quotes keys, never values. */
export class YamlProblem extends Error {
  override readonly name = "YamlProblem";
  /** Starts at 1; undefined when it is not about one place. */
  readonly line: number | undefined;

  constructor(message: string, line?: number) {
    super(message);
    this.line = line;
  }
}

/** Levels of nesting that a configuration may have. */
export const maxDepth = 100;
