import { type ParseArgsConfig, parseArgs } from "node:util";
import { describeError } from "../foundation/errors.ts";
import { loadStorageSettings } from "../supervisor/settings/load-storage.ts";
import { exitCode, UsageError } from "./command-line.ts";
import { plain } from "./plain-text.ts";

/** One command of an operator of this host. */
export interface OperatorCommand {
  usage: string;
  /** Resolves to the exit code. @throws UsageError, SettingsError */
  run(args: readonly string[]): Promise<number>;
}

interface OperatorOptions<Flag extends string, Name extends string> {
  config: string;
  positionals: readonly string[];
  has: (flag: Flag) => boolean;
  textOf: (name: Name) => string | undefined;
}

/**
 * Reads the options of a command: `--config`, and those flags and options with a value that it has.
 * @throws UsageError
 */
export function parseOperatorOptions<Flag extends string, Name extends string = never>(
  args: readonly string[],
  flags: readonly Flag[],
  { named = [], short = {} }: { named?: readonly Name[]; short?: Partial<Record<Flag, string>> } = {},
): OperatorOptions<Flag, Name> {
  const { values, positionals } = parse(
    {
      ...Object.fromEntries(
        flags.map((flag) => {
          const letter = short[flag];
          return [flag, { type: "boolean", ...(letter !== undefined && { short: letter }) }];
        }),
      ),
      ...Object.fromEntries(named.map((name) => [name, { type: "string" }])),
      config: { type: "string" },
    },
    args,
  );
  const { config } = values;
  if (typeof config !== "string")
    throw new UsageError("--config FILE is missing: the settings of the supervisor");
  const textOf = (name: Name) => {
    const value = values[name];
    return typeof value === "string" ? value : undefined;
  };
  return { config, positionals, has: (flag) => values[flag] === true, textOf };
}

function parse(options: NonNullable<ParseArgsConfig["options"]>, args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], allowPositionals: true, options });
  } catch (error) {
    throw new UsageError(describeError(error));
  }
}

/**
 * The state directory that a settings file names; what is odd about it goes to standard error.
 * @throws SettingsError
 */
export function stateDirectoryOf(config: string): string {
  const { settings, warnings } = loadStorageSettings(config);
  for (const warning of warnings) process.stderr.write(`warning: ${warning}\n`);
  return settings.storage.directory;
}

/** Says why a command could not do what it was asked to, and gives the exit code for that. */
export function tellFailure(error: unknown): number {
  process.stderr.write(
    `opamp-supervisor: ${plain(error instanceof Error ? error.message : String(error))}\n`,
  );
  return exitCode.failed;
}

/** For who may not ask the supervisor of `directory`. */
export function forbiddenMessage(directory: string): string {
  return `not allowed to reach the supervisor of ${directory}: run this as root or as the supervisor's user`;
}
