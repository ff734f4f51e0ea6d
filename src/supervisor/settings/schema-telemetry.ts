import type { LogLevel } from "../../foundation/logger.ts";
import { decodeAt, listOf, textList, textMap } from "../../foundation/settings-file/collections.ts";
import {
  alreadyReported,
  field,
  integer,
  oneOf,
  type SettingSchema,
  textOf,
} from "../../foundation/settings-file/field.ts";
import { defaulted, nested, optional, required, section } from "../../foundation/settings-file/section.ts";
import { describeValue, isMap, present } from "../../foundation/settings-file/setting-value.ts";
import { exporter, metricExporter, milliseconds, pullExporter, variant } from "./schema-exporters.ts";
import { sampler } from "./schema-sampler.ts";
import type { TextMap } from "./supervisor-settings.ts";
import {
  logFormats,
  type MetricReaderSettings,
  type ProcessorSettings,
  type TelemetryLevel,
  type TelemetrySettings,
  telemetryLevels,
} from "./telemetry-settings.ts";

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

/** Built when there is something to decode: schemas that hardly anybody needs are not to cost memory. */
const late = <T>(make: () => SettingSchema<T>): SettingSchema<T> =>
  field((value, complain, report) => decodeAt(make(), value, [], report) ?? complain(alreadyReported));

const kindOf = <K extends string, T extends object>(kind: K, schema: SettingSchema<T>) =>
  field((value, complain, report) => {
    const decoded = decodeAt(schema, value, [], report);
    return decoded === undefined ? complain(alreadyReported) : { kind, ...decoded };
  });

const count = () => integer({ min: 1 });

const processors = () =>
  listOf(
    variant<ProcessorSettings>("a processor", {
      batch: kindOf(
        "batch",
        section({
          exporter: required("exporter", exporter()),
          scheduleDelayMs: optional("schedule_delay", milliseconds()),
          exportTimeoutMs: optional("export_timeout", milliseconds()),
          maxQueueSize: optional("max_queue_size", count()),
          maxExportBatchSize: optional("max_export_batch_size", count()),
        }),
      ),
      simple: kindOf("simple", section({ exporter: required("exporter", exporter()) })),
    }),
  );

const readers = () =>
  listOf(
    variant<MetricReaderSettings>("a reader", {
      periodic: kindOf(
        "periodic",
        section({
          exporter: required("exporter", metricExporter()),
          intervalMs: defaulted("interval", milliseconds(), 60_000),
          timeoutMs: defaulted("timeout", milliseconds(), 30_000),
        }),
      ),
      pull: kindOf("pull", section({ exporter: required("exporter", pullExporter()) })),
    }),
  );

/** A name without a value means nothing here. */
function resource(): SettingSchema<TextMap> {
  return field((value, complain, report) => {
    const { data } = value;
    const given = isMap(data) ? new Map([...data].filter(([, child]) => present(child))) : data;
    return decodeAt(textMap(), { ...value, data: given }, [], report) ?? complain(alreadyReported);
  });
}

const limit = (key: string) => optional(key, integer({ min: 0 }));

const limits = () =>
  section({
    attributeValueLengthLimit: limit("attribute_value_length_limit"),
    attributeCountLimit: limit("attribute_count_limit"),
    eventCountLimit: limit("event_count_limit"),
    linkCountLimit: limit("link_count_limit"),
    eventAttributeCountLimit: limit("event_attribute_count_limit"),
    linkAttributeCountLimit: limit("link_attribute_count_limit"),
  });

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
      processors: defaulted("processors", late(processors), []),
    }),
  ),
  metrics: nested(
    "metrics",
    section({
      level: defaulted("level", telemetryLevel(), "basic"),
      readers: defaulted("readers", late(readers), []),
    }),
  ),
  traces: nested(
    "traces",
    section({
      level: defaulted("level", telemetryLevel(), "basic"),
      propagators: defaulted("propagators", textList(), []),
      processors: defaulted("processors", late(processors), []),
      sampler: optional("sampler", late(sampler)),
      limits: optional("limits", late(limits)),
    }),
  ),
  resource: defaulted("resource", resource(), {}),
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
