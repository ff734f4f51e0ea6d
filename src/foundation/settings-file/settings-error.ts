import type { Path } from "./field.ts";

/** One thing wrong with a settings file. */
export interface SettingsProblem {
  /** Keys joined by dots, `agent.config_files[1]`; empty for the file as a whole. */
  readonly path: string;
  /** From 1; 0 where the file as a whole is meant. */
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

/** A settings file that cannot be used; holds everything that is wrong with it, in the order of the file. */
export class SettingsError extends Error {
  override readonly name = "SettingsError";
  readonly file: string;
  readonly problems: readonly SettingsProblem[];

  /** `title` starts the message, as in `cannot read the settings: FILE:12:3: agent.args: expected …`. */
  constructor(file: string, problems: readonly SettingsProblem[], title = "invalid settings: ") {
    const lines = problems.map((problem) => formatProblem(file, problem));
    super(lines.length === 1 ? title + lines.join("") : [title.trimEnd(), ...lines].join("\n  "));
    this.file = file;
    this.problems = problems;
  }
}

/** `FILE:12:3: agent.config_apply_timeout: expected …`. */
export function formatProblem(file: string, { path, line, column, message }: SettingsProblem): string {
  const place = line === 0 ? file : `${file}:${line}:${column}`;
  return path === "" ? `${place}: ${message}` : `${place}: ${path}: ${message}`;
}

/** `["agent", "config_files", 1]` as `agent.config_files[1]`. */
export function formatPath(path: Path): string {
  return path
    .map((step, index) => (typeof step === "number" ? `[${step}]` : index === 0 ? step : `.${step}`))
    .join("");
}
