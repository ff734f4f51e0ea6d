import { pino, stdTimeFunctions } from "pino";
import { terminalStream } from "./log-terminal.ts";

/** Names by which `component` is logged. */
export type LogComponent = "opamp-agent" | "opamp-server" | "collector";

export const logLevels = ["trace", "debug", "info", "warn", "error", "fatal"] as const;
export type LogLevel = (typeof logLevels)[number];

/** Fields of one log line; `event` names what happened and is what machines filter by. */
export type LogFields = { event: string } & Record<string, unknown>;

/** What the rest of the code logs through. */
export interface Logger {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
}

export interface LoggerOptions {
  component: LogComponent;
  level: LogLevel;
  /** `json` is one object a line; `terminal` is for people. */
  format: "json" | "terminal";
  /** Where lines go: `stdout`, `stderr` or a path, as in `telemetry.logs.output_paths`. */
  outputPaths?: readonly string[];
}

/** A logger that writes synchronously, so that the last line before an exit is never lost. */
export function createLogger({ component, level, format, outputPaths = ["stdout"] }: LoggerOptions): Logger {
  const streams = outputPaths.map((path) => {
    const destination = pino.destination({ dest: destinationOf(path), sync: true, mkdir: true });
    return { level, stream: format === "terminal" ? terminalStream(destination) : destination };
  });
  const [only] = streams;
  return pino(
    {
      level,
      base: { component },
      messageKey: "message",
      timestamp: () => stdTimeFunctions.isoTime().replace('"time"', '"timestamp"'),
      formatters: { level: (label) => ({ level: label }) },
    },
    streams.length === 1 && only !== undefined ? only.stream : pino.multistream(streams),
  );
}

function destinationOf(path: string): number | string {
  if (path === "stdout") return 1;
  if (path === "stderr") return 2;
  return path;
}

/** A logger that drops everything. */
export const silentLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};
