import { parseArgs } from "node:util";
import { systemClock } from "../foundation/clock.ts";
import { describeError } from "../foundation/errors.ts";
import { createLogger, type LogLevel, logLevels, silentLogger } from "../foundation/logger.ts";
import { SettingsError } from "../foundation/settings-file/settings-error.ts";
import { type LoadedSupervisorSettings, loadSupervisorSettings } from "../supervisor/settings/load.ts";
import { startSupervisor } from "../supervisor/supervisor.ts";
import { version } from "./version.ts";

const usage = `Usage: opamp-supervisor --config FILE [--log-level LEVEL]
       opamp-supervisor validate --config FILE

Keeps one OpenTelemetry Collector running and lets an OpAMP server change it safely.

Commands:
  validate          check a settings file and start nothing

Options:
  --config FILE     settings (supervisor.yaml); every key is explained in supervisor.example.yaml
  --log-level LEVEL ${logLevels.join(", ")}; overrides telemetry.logs.level
  --version         print the version
  --help            print this text

Signals:
  SIGTERM, SIGINT   stop the Collector, then exit
  SIGUSR2           exit and leave the Collector running for the next supervisor to adopt
  SIGHUP            read the local configuration files again

Exit codes: 0 stopped as told or nothing wrong, 1 could not start or run, 2 bad usage or bad settings
`;

const exitCode = { ok: 0, failed: 1, usage: 2 } as const;

interface Arguments {
  command: "run" | "validate" | "help" | "version";
  config: string | undefined;
  logLevel: LogLevel | undefined;
}

class UsageError extends Error {}

function parse(argv: readonly string[]): Arguments {
  // Go programs take long options with one hyphen too, and service files say so.
  const args = argv.map((argument) => argument.replace(/^-(config|log-level|help|version)(?==|$)/, "--$1"));
  const { values, positionals } = parseOptions(args);
  const [command = "run", ...rest] = positionals;
  if (values.help) return { command: "help", config: undefined, logLevel: undefined };
  if (values.version) return { command: "version", config: undefined, logLevel: undefined };
  if ((command !== "run" && command !== "validate") || rest.length > 0) {
    throw new UsageError(`unknown command "${positionals.join(" ")}"`);
  }
  if (values.config === undefined) throw new UsageError("--config FILE is missing");
  return { command, config: values.config, logLevel: parseLevel(values["log-level"]) };
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

async function main(argv: readonly string[]): Promise<number> {
  let args: Arguments;
  try {
    args = parse(argv);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`opamp-supervisor: ${error.message}\nTry opamp-supervisor --help\n`);
    return exitCode.usage;
  }
  switch (args.command) {
    case "help":
      process.stdout.write(usage);
      return exitCode.ok;
    case "version":
      process.stdout.write(`opamp-supervisor ${version}\n`);
      return exitCode.ok;
    case "validate":
    case "run":
  }
  if (process.platform === "win32") {
    process.stderr.write(
      "opamp-supervisor: Windows is not supported; run it on Linux, or on macOS for development\n",
    );
    return exitCode.failed;
  }
  const loaded = load(args.config ?? "");
  if (loaded === undefined) return exitCode.usage;
  if (args.command === "validate") {
    for (const warning of loaded.warnings) process.stderr.write(`${args.config}: warning: ${warning}\n`);
    process.stdout.write(`${args.config}: valid\n`);
    return exitCode.ok;
  }
  return run(loaded, args.logLevel);
}

function load(path: string): LoadedSupervisorSettings | undefined {
  try {
    return loadSupervisorSettings(path);
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return undefined;
  }
}

async function run(
  { settings, secrets, warnings }: LoadedSupervisorSettings,
  level?: LogLevel,
): Promise<number> {
  const { logs } = settings.telemetry;
  const terminal = logs.format === "terminal" || (logs.format === "auto" && process.stdout.isTTY);
  const options = {
    level: level ?? logs.level,
    format: terminal ? "terminal" : "json",
    outputPaths: logs.outputPaths,
  } as const;
  const logger = createLogger({ component: "opamp-agent", ...options });
  for (const warning of warnings) logger.warn({ event: "settings_warning" }, warning);
  const signal = nextSignal();
  // One that comes while starting has nothing to read again.
  let reloadLocalFiles: () => void = () => undefined;
  process.on("SIGHUP", () => reloadLocalFiles());
  process.on("unhandledRejection", (error) => {
    // To end would be to leave the Collector without anybody to look after it.
    logger.error(
      { event: "internal_error", error: describeError(error) },
      "something failed that should not",
    );
  });
  try {
    const supervisor = await startSupervisor(settings, {
      clock: systemClock,
      logger,
      collectorLogger: settings.agent.passthroughLogs
        ? createLogger({ component: "collector", ...options })
        : silentLogger,
      secrets,
    });
    reloadLocalFiles = () => supervisor.reloadLocalFiles();
    const received = await signal;
    logger.info(
      { event: "stopping", signal: received },
      received === "SIGUSR2" ? "handing over" : "stopping",
    );
    await (received === "SIGUSR2" ? supervisor.handOver() : supervisor.stop());
    logger.info({ event: "stopped" }, "stopped");
    return exitCode.ok;
  } catch (error) {
    const text = describeError(error);
    logger.error({ event: "start_failed", error: text }, "failed to start supervisor");
    process.stderr.write(`failed to start supervisor: ${text}\n`);
    return exitCode.failed;
  }
}

/** A signal that comes while starting is not lost: it is answered as soon as there is something to stop. */
function nextSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const name of ["SIGTERM", "SIGINT", "SIGUSR2"] as const) process.on(name, () => resolve(name));
  });
}

main(process.argv.slice(2)).then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`opamp-supervisor: ${error instanceof Error ? error.stack : String(error)}\n`);
    process.exit(exitCode.failed);
  },
);
