import { stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { describeError, errorCode, isMissing } from "../foundation/errors.ts";
import { SettingsError } from "../foundation/settings-file/settings-error.ts";
import { LogFollower } from "../supervisor/collector/agent-log-follow.ts";
import { readLogTail } from "../supervisor/collector/agent-log-tail.ts";
import { cleanLine } from "../supervisor/collector/agent-log-text.ts";
import { findServiceUnit, readSupervisorPid } from "../supervisor/operations/control/service-unit.ts";
import { loadLogSettings } from "../supervisor/settings/load-log-settings.ts";
import { exitCode, nextSignal, UsageError } from "./command-line.ts";
import { type OperatorCommand, parseOperatorOptions, stateDirectoryOf } from "./operator-command.ts";
import { plain } from "./plain-text.ts";

const defaultLines = 50;
const mostLines = 100_000;

const usage = `Usage: opamp-supervisor logs --config FILE [-f] [--lines N] [--collector|--supervisor] [--json]

Prints the last lines of the Collector's log, and of the supervisor's own where telemetry.logs.output_paths
names a file. Works when the supervisor is down.

Options:
  --config FILE  settings of the supervisor; only storage and telemetry are read
  -f, --follow   go on printing what is logged, over rotations, until Ctrl-C
  --lines N      how many lines of each to begin with, default ${defaultLines}; rotated files are read too
  --collector    the Collector's log only
  --supervisor   the supervisor's log only. Where it logs to standard output, who started it has it: this says where
  --json         print each line as JSON: {"from": "collector" or "supervisor", "line": TEXT}
  --help         print this text

The Collector may have logged secrets of its own; nothing is masked here, and these files are for the supervisor's
user and root only. For a log to pass on: opamp-supervisor diagnose.

Exit codes: 0 printed, 1 there is no such log or it cannot be read, 2 bad usage or bad settings
`;

interface Source {
  from: "collector" | "supervisor";
  path: string;
}

type Print = (from: Source["from"], line: string) => void;

async function run(args: readonly string[]): Promise<number> {
  const { config, positionals, has, textOf } = parseOperatorOptions(
    args,
    ["follow", "collector", "supervisor", "json"],
    { named: ["lines"], short: { follow: "f" } },
  );
  if (positionals.length > 0) throw new UsageError(`unexpected "${positionals.join(" ")}"`);
  const count = parseLines(textOf("lines"));
  const only =
    has("collector") === has("supervisor") ? undefined : has("collector") ? "collector" : "supervisor";
  const { directory, outputPaths } = logSettings(config);
  const sources: Source[] =
    only === "supervisor" ? [] : [{ from: "collector", path: join(directory, "agent.log") }];
  if (only !== "collector") {
    const { paths, hint } = await supervisorLogs(directory, outputPaths);
    sources.push(...paths.map((path): Source => ({ from: "supervisor", path })));
    if (hint !== undefined) process.stderr.write(`${hint}\n`);
  }
  if (sources.length === 0) return exitCode.failed;
  // Whoever reads this has seen enough.
  process.stdout.on("error", () => process.exit(exitCode.ok));
  const print = printer(sources.length > 1, has("json"));
  return has("follow") ? follow(sources, count, print) : tail(sources, count, print);
}

function parseLines(text: string | undefined): number {
  if (text === undefined) return defaultLines;
  const count = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(count <= mostLines)) throw new UsageError(`--lines ${text}: expected a number up to ${mostLines}`);
  return count;
}

/** An operator's shell may not have what the telemetry section refers to; the Collector's log is to be had all the same. */
function logSettings(config: string): { directory: string; outputPaths: readonly string[] | Error } {
  try {
    const { storage, telemetry } = loadLogSettings(config).settings;
    return { directory: storage.directory, outputPaths: telemetry.logs.outputPaths };
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    return { directory: stateDirectoryOf(config), outputPaths: error };
  }
}

async function supervisorLogs(
  directory: string,
  outputPaths: readonly string[] | Error,
): Promise<{ paths: string[]; hint: string | undefined }> {
  if (outputPaths instanceof Error) {
    const hint = `where the supervisor logs to cannot be told: ${outputPaths.message}`;
    return { paths: [], hint };
  }
  const files = outputPaths.filter((path) => path !== "stdout" && path !== "stderr");
  if (files.length > 0) return { paths: [...new Set(files.map((path) => resolve(path)))], hint: undefined };
  const pid = await readSupervisorPid(directory);
  const unit = pid === undefined ? undefined : await findServiceUnit(pid);
  const where =
    unit === undefined
      ? "whoever started it has them; under systemd: journalctl -u opamp-supervisor"
      : `see: journalctl -u ${unit}`;
  return { paths: [], hint: `the supervisor logs to ${outputPaths.join(" and ")}: ${where}` };
}

function printer(several: boolean, json: boolean): Print {
  return (from, line) => {
    const text = cleanLine(line);
    const shown = json
      ? JSON.stringify({ from, line: text })
      : several
        ? `${from.padEnd(10)} | ${text}`
        : text;
    process.stdout.write(`${shown}\n`);
  };
}

async function tail(sources: readonly Source[], count: number, print: Print): Promise<number> {
  let code: number = exitCode.ok;
  for (const source of sources) {
    try {
      for (const line of (await readLogTail(source.path, count)).lines) print(source.from, line);
      if (await isNotThere(source.path)) {
        process.stderr.write(`there is no ${plain(source.path)}: nothing was logged there yet\n`);
        code = exitCode.failed;
      }
    } catch (error) {
      process.stderr.write(`${cannotRead(source, error)}\n`);
      code = exitCode.failed;
    }
  }
  return code;
}

async function follow(sources: readonly Source[], count: number, print: Print): Promise<number> {
  const interrupted = nextSignal("SIGINT", "SIGTERM");
  const followers: LogFollower[] = [];
  for (const { from, path } of sources) {
    try {
      const { lines, end } = await readLogTail(path, count, { wholeOnly: true });
      for (const line of lines) print(from, line);
      const onLine = (line: string) => print(from, line);
      followers.push(new LogFollower({ path, from: end, onLine, copiedTo: `${path}.1` }));
    } catch (error) {
      process.stderr.write(`${cannotRead({ from, path }, error)}\n`);
    }
  }
  if (followers.length === 0) return exitCode.failed;
  // The followers' own timers keep no process alive.
  const alive = setInterval(() => undefined, 60_000);
  await interrupted;
  clearInterval(alive);
  await Promise.all(followers.map((follower) => follower.close()));
  return exitCode.ok;
}

async function isNotThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => false,
    (error: unknown) => isMissing(error),
  );
}

function cannotRead({ path }: Source, error: unknown): string {
  const hint = errorCode(error) === "EACCES" ? "; run this as root or as the supervisor's user" : "";
  return `cannot read ${plain(path)}: ${describeError(error)}${hint}`;
}

export const logs: OperatorCommand = { usage, run };
