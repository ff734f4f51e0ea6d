import { parseArgs } from "node:util";
import { describeError } from "../foundation/errors.ts";
import { type LogLevel, logLevels } from "../foundation/logger.ts";
import { SettingsError } from "../foundation/settings-file/settings-error.ts";

/** Exit codes of both programs, as their usage text explains them. */
export const exitCode = { ok: 0, failed: 1, usage: 2 } as const;

/** A call that makes no sense; the message says why. */
export class UsageError extends Error {}

/** What both programs can be called with. */
export type CommandLine =
  | { command: "help" | "version" }
  | { command: "validate"; config: string }
  | { command: "run"; config: string | undefined; logLevel: LogLevel | undefined };

/**
 * Reads the arguments. Long options may have one hyphen: Go programs take them so, and service files say so.
 * @throws UsageError
 */
export function parseCommandLine(argv: readonly string[]): CommandLine {
  const args = argv.map((argument) => argument.replace(/^-(config|log-level|help|version)(?==|$)/, "--$1"));
  const { values, positionals } = parseOptions(args);
  const [command = "run", ...rest] = positionals;
  if (values.help) return { command: "help" };
  if (values.version) return { command: "version" };
  if ((command !== "run" && command !== "validate") || rest.length > 0) {
    throw new UsageError(`unknown command "${positionals.join(" ")}"`);
  }
  if (command === "run") return { command, config: values.config, logLevel: parseLevel(values["log-level"]) };
  if (values.config === undefined) throw new UsageError("validate needs --config FILE");
  return { command, config: values.config };
}

function parseOptions(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        config: { type: "string" },
        "log-level": { type: "string" },
        help: { type: "boolean", short: "h" },
        version: { type: "boolean" },
      },
    });
  } catch (error) {
    throw new UsageError(describeError(error));
  }
}

function parseLevel(text: string | undefined): LogLevel | undefined {
  const level = logLevels.find((known) => known === text?.toLowerCase());
  if (text !== undefined && level === undefined) {
    throw new UsageError(`--log-level ${text}: expected one of ${logLevels.join(", ")}`);
  }
  return level;
}

/** Resolves with the first of these signals; one that comes while starting is not lost. */
export function nextSignal<T extends NodeJS.Signals>(...names: readonly T[]): Promise<T> {
  return new Promise((resolve) => {
    for (const name of names) process.on(name, () => resolve(name));
  });
}

/** For people on a terminal, JSON for everything else, unless the settings say which. */
export function logFormat(format: "json" | "terminal" | "auto"): "json" | "terminal" {
  if (format !== "auto") return format;
  return process.stdout.isTTY ? "terminal" : "json";
}

/** Says what went wrong and gives the exit code for it; what is wrong with call or settings is exit code 2. */
export function failureExit(name: string, error: unknown): number {
  if (error instanceof UsageError) {
    process.stderr.write(`${name}: ${error.message}\nTry ${name} --help\n`);
    return exitCode.usage;
  }
  if (error instanceof SettingsError) {
    process.stderr.write(`${error.message}\n`);
    return exitCode.usage;
  }
  process.stderr.write(`${name}: ${error instanceof Error ? error.stack : String(error)}\n`);
  return exitCode.failed;
}

/** Runs a program to its end and exits with its code. */
export function runProgram(name: string, main: (argv: readonly string[]) => Promise<number>): void {
  main(process.argv.slice(2)).then(
    (code) => process.exit(code),
    (error: unknown) => process.exit(failureExit(name, error)),
  );
}
