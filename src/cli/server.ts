import { join } from "node:path";
import { systemClock } from "../foundation/clock.ts";
import { describeError } from "../foundation/errors.ts";
import { createLogger, type LogLevel, logLevels } from "../foundation/logger.ts";
import type { LoadedSettings } from "../foundation/settings-file/load-settings-file.ts";
import { startServer } from "../server/server.ts";
import { defaultServerSettings, loadServerSettings } from "../server/settings/load.ts";
import type { ServerSettings } from "../server/settings/server-settings.ts";
import { loadTlsMaterial, TlsMaterialError } from "../server/tls-material.ts";
import { askCollector } from "./ask-collector.ts";
import { exitCode, logFormat, nextSignal, parseCommandLine, runProgram } from "./command-line.ts";
import { runStoreCommand, storeCommandNames } from "./store-commands.ts";
import { version } from "./version.ts";

const usage = `Usage: opamp-server [--config FILE] [--log-level LEVEL]
       opamp-server validate --config FILE
       opamp-server ctl COMMAND
       opamp-server backup|restore FILE --config FILE [--force]

The control plane of a fleet: serves OpAMP to agents and a management API to operators.
Without --config it serves agents on port 4320 of every address, and operators on 127.0.0.1:4321 only.

Commands:
  validate          check a settings file and its certificates, and start nothing
  ctl               ask and command a running server, from anywhere: see opamp-server ctl --help
  backup FILE       save all that the database knows, while the server runs
  restore FILE      fill an empty database with a backup

Options:
  --config FILE     settings (server.yaml); every key is explained in server.example.yaml
  --log-level LEVEL ${logLevels.join(", ")}; overrides telemetry.logs.level
  --version         print the version
  --help            print this text

Signals:
  SIGTERM, SIGINT   close every agent's connection properly, then exit

Exit codes: 0 stopped as told or nothing wrong, 1 could not start or run, 2 bad usage or bad settings
`;

/** Beside the bundle; sources find it where `npm run build` puts it. */
const web = join(import.meta.dirname, import.meta.filename.endsWith(".ts") ? "../../dist/web" : "web");

async function main(argv: readonly string[]): Promise<number> {
  if (argv[0] === "ctl") {
    const { runCtl } = await import("./ctl/ctl.ts");
    return await runCtl(argv.slice(1));
  }
  const [first, ...rest] = argv;
  const store = storeCommandNames.find((name) => name === first);
  if (store !== undefined) return await runStoreCommand(store, rest);
  const args = parseCommandLine(argv);
  try {
    switch (args.command) {
      case "help":
        process.stdout.write(usage);
        return exitCode.ok;
      case "version":
        process.stdout.write(`opamp-server ${version}\n`);
        return exitCode.ok;
      case "validate":
        return validate(args.config);
      case "run":
        return await run(args.config, args.logLevel);
    }
  } catch (error) {
    if (!(error instanceof TlsMaterialError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return exitCode.usage;
  }
}

function validate(path: string): number {
  const { settings, warnings } = loadServerSettings(path);
  const { opamp, management } = settings;
  if (opamp.tls !== undefined) loadTlsMaterial(opamp.tls, "opamp.tls");
  if (management.tls !== undefined) loadTlsMaterial(management.tls, "management.tls");
  for (const warning of warnings) process.stderr.write(`warning: ${warning}\n`);
  process.stdout.write(`${path}: valid\n`);
  return exitCode.ok;
}

async function run(path: string | undefined, logLevel: LogLevel | undefined): Promise<number> {
  const { settings, warnings } = load(path);
  const log = createLogger({
    component: "opamp-server",
    level: logLevel ?? settings.logs.level,
    format: logFormat(settings.logs.format),
    outputPaths: settings.logs.outputPaths,
  });
  for (const warning of warnings) log.warn({ event: "settings_warning" }, warning);
  const signal = nextSignal("SIGTERM", "SIGINT");
  try {
    const server = await startServer(settings, {
      clock: systemClock,
      log,
      web,
      askCollector: askCollector(settings.validation),
    });
    const received = await signal;
    log.info({ event: "stopping", signal: received }, "stopping");
    await server.close();
    log.info({ event: "stopped" }, "stopped");
    return exitCode.ok;
  } catch (error) {
    if (error instanceof TlsMaterialError) throw error;
    const text = describeError(error);
    log.error({ event: "start_failed", error: text }, "failed to start opamp-server");
    process.stderr.write(`failed to start opamp-server: ${text}\n`);
    return exitCode.failed;
  }
}

function load(path: string | undefined): Pick<LoadedSettings<ServerSettings>, "settings" | "warnings"> {
  return path === undefined ? { settings: defaultServerSettings(), warnings: [] } : loadServerSettings(path);
}

runProgram("opamp-server", main);
