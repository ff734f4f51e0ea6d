import { systemClock } from "../foundation/clock.ts";
import { describeError } from "../foundation/errors.ts";
import { createLogger, type Logger, type LogLevel, logLevels, silentLogger } from "../foundation/logger.ts";
import { SecretMasker } from "../supervisor/configuration/secrets.ts";
import type { Systemd } from "../supervisor/operations/systemd.ts";
import { type LoadedSupervisorSettings, loadSupervisorSettings } from "../supervisor/settings/load.ts";
import type { TelemetrySettings } from "../supervisor/settings/telemetry-settings.ts";
import { startSupervisor } from "../supervisor/supervisor.ts";
import { openTelemetry } from "../supervisor/telemetry/open-telemetry.ts";
import { RedirectableTelemetry } from "../supervisor/telemetry/redirectable-telemetry.ts";
import { exitCode, logFormat, nextSignal, parseCommandLine, runProgram, UsageError } from "./command-line.ts";
import { findOperatorCommand } from "./operator-command-names.ts";
import { version } from "./version.ts";

const usage = `Usage: opamp-supervisor --config FILE [--log-level LEVEL]
       opamp-supervisor COMMAND --config FILE

Keeps one OpenTelemetry Collector running and lets an OpAMP server change it safely.

Commands, each with a --help of its own:
  status            how the supervisor of this host and its Collector are; exit code 0 if well
  logs              what the Collector, and the supervisor, have logged
  explain           where a key of the effective configuration comes from; why an offer was refused
  rollback          back to the configuration that ran before the present one
  quarantine        what failed here and is not tried again, and how to clear it
  diagnose          one archive, without secrets, for somebody who is to help
  keys              sign configurations, on a machine of an administrator
  validate          check a settings file and start nothing; --with-collector: and what it leads to

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

async function main(argv: readonly string[]): Promise<number> {
  const operator = findOperatorCommand(argv);
  if (operator !== undefined) {
    const { runOperatorCommand } = await import("./operator-commands.ts");
    return runOperatorCommand(operator.name, operator.args);
  }
  const args = parseCommandLine(argv);
  switch (args.command) {
    case "help":
      process.stdout.write(usage);
      return exitCode.ok;
    case "version":
      process.stdout.write(`opamp-supervisor ${version}\n`);
      return exitCode.ok;
    case "validate":
      return validate(args.config);
    case "run":
  }
  if (args.config === undefined) throw new UsageError("--config FILE is missing");
  if (process.platform === "win32") {
    process.stderr.write(
      "opamp-supervisor: Windows is not supported; run it on Linux, or on macOS for development\n",
    );
    return exitCode.failed;
  }
  return run(loadSupervisorSettings(args.config), args.logLevel);
}

function validate(path: string): number {
  const { warnings } = loadSupervisorSettings(path, { checkOnly: true });
  for (const warning of warnings) process.stderr.write(`warning: ${warning}\n`);
  process.stdout.write(`${path}: valid\n`);
  return exitCode.ok;
}

async function run(
  { settings, secrets, warnings }: LoadedSupervisorSettings,
  level?: LogLevel,
): Promise<number> {
  const { logs } = settings.telemetry;
  const options = {
    level: level ?? logs.level,
    format: logFormat(logs.format),
    outputPaths: logs.outputPaths,
  } as const;
  const signal = nextSignal("SIGTERM", "SIGINT", "SIGUSR2");
  // One that comes while starting has nothing to read again.
  let reloadLocalFiles: () => void = () => undefined;
  process.on("SIGHUP", () => reloadLocalFiles());
  const log = createLogger({ component: "opamp-agent", ...options });
  const masker = new SecretMasker(secrets);
  const openPipeline = (wanted: TelemetrySettings) =>
    openTelemetry(wanted, {
      version,
      level: options.level,
      mask: (text) => masker.mask(text),
      logger: log,
      clock: systemClock,
    });
  const pipeline = await openPipeline(settings.telemetry);
  const telemetry = new RedirectableTelemetry(settings.telemetry, pipeline, openPipeline);
  const logger = telemetry.logger("opamp-agent", log);
  for (const warning of warnings) logger.warn({ event: "settings_warning" }, warning);
  process.on("unhandledRejection", (error) => {
    // To end would be to leave the Collector without anybody to look after it.
    logger.error(
      { event: "internal_error", error: describeError(error) },
      "something failed that should not",
    );
  });
  const systemd = await openSystemd(logger);
  try {
    const supervisor = await startSupervisor(settings, {
      version,
      clock: systemClock,
      logger,
      collectorLogger: settings.agent.passthroughLogs
        ? telemetry.logger("collector", createLogger({ component: "collector", ...options }))
        : silentLogger,
      secrets,
      telemetry,
    });
    reloadLocalFiles = () => supervisor.reloadLocalFiles();
    systemd?.ready(supervisor.service);
    const received = await signal;
    systemd?.stopping(received === "SIGUSR2" ? "handing over" : "stopping");
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
  } finally {
    await telemetry.close();
  }
}

/** Undefined unless systemd wants to hear from this process (sd_notify(3)). */
async function openSystemd(logger: Logger): Promise<Systemd | undefined> {
  if (!process.env.NOTIFY_SOCKET) return undefined;
  const { Systemd } = await import("../supervisor/operations/systemd.ts");
  return new Systemd({ env: process.env, clock: systemClock, logger });
}

runProgram("opamp-supervisor", main);
