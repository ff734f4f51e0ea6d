import { parseArgs } from "node:util";
import { describeError } from "../foundation/errors.ts";
import { loadStorageSettings } from "../supervisor/settings/load-storage.ts";
import { UsageError } from "./command-line.ts";

/** One command of an operator of this host. */
export interface OperatorCommand {
  usage: string;
  /** Resolves to the exit code. @throws UsageError, SettingsError */
  run(args: readonly string[]): Promise<number>;
}

/** Runs the command that is called for and resolves to its exit code; undefined when it is none of these. */
export async function runOperatorCommand(
  argv: readonly string[],
  commands: Readonly<Record<string, OperatorCommand>>,
): Promise<number | undefined> {
  const args = argv.map((argument) => argument.replace(/^-(config|help)(?==|$)/, "--$1"));
  const { tokens } = parseArgs({
    args,
    strict: false,
    tokens: true,
    options: { config: { type: "string" }, "log-level": { type: "string" } },
  });
  const first = tokens.find((token) => token.kind === "positional");
  const command = first && Object.hasOwn(commands, first.value) ? commands[first.value] : undefined;
  if (first === undefined || command === undefined) return undefined;
  const rest = args.toSpliced(first.index, 1);
  if (rest.includes("--help") || rest.includes("-h")) {
    process.stdout.write(command.usage);
    return 0;
  }
  return command.run(rest);
}

/**
 * Reads the options of a command: `--config`, and those flags that it has.
 * @throws UsageError
 */
export function parseOperatorOptions<Flag extends string>(
  args: readonly string[],
  flags: readonly Flag[],
): { config: string; positionals: readonly string[]; has: (flag: Flag) => boolean } {
  const options = Object.fromEntries(flags.map((flag) => [flag, { type: "boolean" as const }]));
  const { values, positionals } = parse({ ...options, config: { type: "string" } }, args);
  const { config } = values;
  if (typeof config !== "string")
    throw new UsageError("--config FILE is missing: the settings of the supervisor");
  return { config, positionals, has: (flag) => values[flag] === true };
}

function parse(options: Record<string, { type: "boolean" | "string" }>, args: readonly string[]) {
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

/** For who may not ask the supervisor of `directory`. */
export function forbiddenMessage(directory: string): string {
  return `not allowed to reach the supervisor of ${directory}: run this as root or as the supervisor's user`;
}
