import type { LogLevel } from "../../foundation/logger.ts";
import { listOf, textList, textMap } from "../../foundation/settings-file/collections.ts";
import { field, oneOf, opaque, type SettingSchema, textOf } from "../../foundation/settings-file/field.ts";
import { defaulted, nested, optional, section } from "../../foundation/settings-file/section.ts";
import { describeValue } from "../../foundation/settings-file/setting-value.ts";
import {
  logFormats,
  type TelemetryLevel,
  type TelemetrySettings,
  telemetryLevels,
} from "./supervisor-settings.ts";

/** zap's names and numbers, and trace, which only we have. zap's panic levels only let fatal lines through. */
const levels: ReadonlyMap<string, LogLevel> = new Map([
  ["trace", "trace"],
  ["debug", "debug"],
  ["-1", "debug"],
  ["", "info"],
  ["info", "info"],
  ["0", "info"],
  ["warn", "warn"],
  ["warning", "warn"],
  ["1", "warn"],
  ["error", "error"],
  ["2", "error"],
  ["dpanic", "fatal"],
  ["3", "fatal"],
  ["panic", "fatal"],
  ["4", "fatal"],
  ["fatal", "fatal"],
  ["5", "fatal"],
]);

/** `telemetry`. */
export const telemetrySection: SettingSchema<TelemetrySettings> = section({
  logs: nested(
    "logs",
    section({
      level: defaulted("level", logLevel(), "info"),
      format: defaulted("format", oneOf(logFormats), "auto"),
      outputPaths: defaulted("output_paths", textList({ expected: "stdout, stderr or a path" }), ["stdout"]),
      errorOutputPaths: defaulted("error_output_paths", textList({ expected: "stdout, stderr or a path" }), [
        "stderr",
      ]),
      processors: defaulted("processors", listOf(opaque()), []),
    }),
  ),
  metrics: nested(
    "metrics",
    section({
      level: defaulted("level", telemetryLevel(), "basic"),
      readers: defaulted("readers", listOf(opaque()), []),
    }),
  ),
  traces: nested(
    "traces",
    section({
      level: defaulted("level", telemetryLevel(), "basic"),
      propagators: defaulted("propagators", textList(), []),
      processors: defaulted("processors", listOf(opaque()), []),
      sampler: optional("sampler", opaque()),
      limits: optional("limits", opaque()),
    }),
  ),
  resource: defaulted("resource", textMap(), {}),
});

function logLevel(): SettingSchema<LogLevel> {
  return field((value, complain) => {
    const found = levels.get(textOf(value)?.toLowerCase() ?? "none");
    const names = "debug, info, warn, error, dpanic, panic, fatal or trace";
    return found ?? complain(`expected a log level: ${names}, got ${describeValue(value)}`);
  });
}

function telemetryLevel(): SettingSchema<TelemetryLevel> {
  return field((value, complain) => {
    const found = telemetryLevels.find((level) => level === textOf(value)?.toLowerCase());
    return found ?? complain(`expected one of ${telemetryLevels.join(", ")}, got ${describeValue(value)}`);
  });
}
