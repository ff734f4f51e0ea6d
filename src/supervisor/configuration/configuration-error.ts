/** Where in a remote configuration the problem is. */
export interface ConfigurationPlace {
  /** Key in the AgentConfigMap; undefined when the map as a whole is meant. */
  entry: string | undefined;
  /** Starts at 1. */
  line: number | undefined;
}

/** A remote configuration that cannot be merged: the offer itself is at fault. Its text is not quoted. */
export class ConfigurationError extends Error {
  override readonly name = "ConfigurationError";
  readonly entry: string | undefined;
  readonly line: number | undefined;

  constructor(problem: string, { entry, line }: ConfigurationPlace) {
    const which =
      entry === undefined ? "" : ` ${entry === "" ? '"" (the unnamed entry)' : JSON.stringify(entry)}`;
    const where = line === undefined ? "" : `, line ${line}`;
    super(`remote configuration${which}${where}: ${problem}`);
    this.entry = entry;
    this.line = line;
  }
}
