import { type AnyValue, type Logger as LogRecords, SeverityNumber } from "@opentelemetry/api";
import {
  JsonLogsSerializer,
  LogsExporterMetricsHelper,
  ProtobufLogsSerializer,
} from "@opentelemetry/otlp-transformer";
import type { Resource } from "@opentelemetry/resources";
import {
  BatchLogRecordProcessor,
  ConsoleLogRecordExporter,
  LoggerProvider,
  type LogRecordExporter,
  type LogRecordProcessor,
  SimpleLogRecordProcessor,
} from "@opentelemetry/sdk-logs";
import { describeError } from "../../../foundation/errors.ts";
import { type LogFields, type Logger, type LogLevel, logLevels } from "../../../foundation/logger.ts";
import type { ProcessorSettings } from "../../settings/telemetry-settings.ts";
import type { TelemetryOptions } from "../telemetry-options.ts";
import { type OtlpSignal, openOtlp } from "./otlp-exporter.ts";
import { batchOptions, makeAll } from "./processors.ts";
import type { SdkTracer } from "./sdk-traces.ts";

const signal: OtlpSignal<Parameters<LogRecordExporter["export"]>[0]> = {
  name: "logs",
  path: "/v1/logs",
  service: "opentelemetry.proto.collector.logs.v1.LogsService",
  protobuf: ProtobufLogsSerializer,
  json: JsonLogsSerializer,
  counting: LogsExporterMetricsHelper,
};

export async function makeLoggerProvider(
  settings: { readonly processors: readonly ProcessorSettings[] },
  resource: Resource,
  options: TelemetryOptions,
): Promise<LoggerProvider> {
  const processors = await makeAll("logs", settings.processors, options, async (each) =>
    makeProcessor(each, await makeExporter(each, options)),
  );
  return new LoggerProvider({ resource, processors });
}

async function makeExporter(
  { exporter }: ProcessorSettings,
  options: TelemetryOptions,
): Promise<LogRecordExporter> {
  return exporter.kind === "console"
    ? new ConsoleLogRecordExporter()
    : await openOtlp(signal, exporter, options);
}

function makeProcessor(settings: ProcessorSettings, exporter: LogRecordExporter): LogRecordProcessor {
  return settings.kind === "simple"
    ? new SimpleLogRecordProcessor({ exporter })
    : new BatchLogRecordProcessor({ exporter, ...batchOptions(settings) });
}

const severities = {
  debug: SeverityNumber.DEBUG,
  info: SeverityNumber.INFO,
  warn: SeverityNumber.WARN,
  error: SeverityNumber.ERROR,
} as const;

interface Forwarding {
  records: LogRecords;
  /** The lowest level that goes out. */
  level: LogLevel;
  mask: (text: string) => string;
  tracer: SdkTracer;
}

/** Writes to `local` and has every line go out as a log record, with the span that it was written in. */
export function forwardingLogger(local: Logger, { records, level, mask, tracer }: Forwarding): Logger {
  const lowest = logLevels.indexOf(level);
  const at = (severity: keyof typeof severities) => {
    const enabled = logLevels.indexOf(severity) >= lowest;
    return (fields: LogFields, message: string) => {
      local[severity](fields, message);
      if (!enabled) return;
      records.emit({
        severityNumber: severities[severity],
        severityText: severity,
        body: mask(message),
        attributes: attributesOf(fields, mask),
        context: tracer.context,
      });
    };
  };
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

/** Fields nest no deeper than this. */
const maxDepth = 4;

function attributesOf(fields: object, mask: (text: string) => string, depth = 0): Record<string, AnyValue> {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries.map(([name, value]) => [name, toAnyValue(value, mask, depth)]));
}

function toAnyValue(value: unknown, mask: (text: string) => string, depth: number): AnyValue {
  if (typeof value === "string") return mask(value);
  if (typeof value === "number" || typeof value === "boolean" || value === null) return value;
  if (value instanceof Error) return mask(describeError(value));
  if (typeof value === "bigint" || typeof value === "symbol") return mask(value.toString());
  if (typeof value !== "object" || depth >= maxDepth) return `a ${typeof value}`;
  if (Array.isArray(value)) return value.map((item) => toAnyValue(item, mask, depth + 1));
  return attributesOf(value, mask, depth + 1);
}
