import type { Meter } from "@opentelemetry/api";
import { PrometheusExporter } from "@opentelemetry/exporter-prometheus";
import {
  JsonMetricsSerializer,
  MetricsExporterMetricsHelper,
  ProtobufMetricsSerializer,
} from "@opentelemetry/otlp-transformer";
import {
  AggregationTemporality,
  ConsoleMetricExporter,
  type IMetricReader,
  InstrumentType,
  PeriodicExportingMetricReader,
  type PushMetricExporter,
  type ResourceMetrics,
} from "@opentelemetry/sdk-metrics";
import { describeError } from "../../../foundation/errors.ts";
import type { Metric } from "../../../foundation/metrics/metric.ts";
import type {
  ExporterSettings,
  MetricReaderSettings,
  PrometheusSettings,
  Temporality,
} from "../../settings/telemetry-settings.ts";
import type { TelemetryOptions } from "../telemetry-options.ts";
import type { Gauges } from "./gauges.ts";
import { type OtlpSignal, openOtlp } from "./otlp-exporter.ts";
import { makeAll } from "./processors.ts";

const signal: OtlpSignal<ResourceMetrics> = {
  name: "metrics",
  path: "/v1/metrics",
  service: "opentelemetry.proto.collector.metrics.v1.MetricsService",
  protobuf: ProtobufMetricsSerializer,
  json: JsonMetricsSerializer,
  counting: MetricsExporterMetricsHelper,
};

export function makeReaders(
  { readers }: { readonly readers: readonly MetricReaderSettings[] },
  gauges: Gauges,
  options: TelemetryOptions,
): Promise<IMetricReader[]> {
  return makeAll("metrics", readers, options, async (reader) => {
    if (reader.kind === "pull") return await servePrometheus(reader.exporter, gauges);
    const { intervalMs, timeoutMs } = reader;
    return new PeriodicExportingMetricReader({
      exporter: await makeExporter(reader.exporter, options),
      metricProducers: [gauges],
      exportIntervalMillis: intervalMs,
      // The SDK refuses one that is longer.
      exportTimeoutMillis: Math.min(timeoutMs, intervalMs),
    });
  });
}

/** @throws when the address cannot be had. */
async function servePrometheus(
  { host, port, withoutScopeInfo }: PrometheusSettings,
  gauges: Gauges,
): Promise<IMetricReader> {
  const server = new PrometheusExporter({
    host,
    port,
    withoutScopeInfo,
    metricProducers: [gauges],
    preventServerStart: true,
  });
  try {
    await server.startServer();
  } catch (error) {
    throw new Error(`cannot listen on ${host}:${port}: ${describeError(error)}; is something else using it?`);
  }
  return server;
}

async function makeExporter(
  settings: ExporterSettings,
  options: TelemetryOptions,
): Promise<PushMetricExporter> {
  if (settings.kind === "console") return new ConsoleMetricExporter();
  const exporter = await openOtlp(signal, settings, options);
  return {
    ...exporter,
    selectAggregationTemporality: (type) => temporalityOf(settings.temporality, type),
  };
}

/** The specification of the OTLP metrics exporter, "Temporality preference". */
function temporalityOf(preference: Temporality, type: InstrumentType): AggregationTemporality {
  const { COUNTER, HISTOGRAM, OBSERVABLE_COUNTER } = InstrumentType;
  const deltas: Record<Temporality, readonly InstrumentType[]> = {
    cumulative: [],
    delta: [COUNTER, HISTOGRAM, OBSERVABLE_COUNTER],
    lowmemory: [COUNTER, HISTOGRAM],
  };
  return deltas[preference].includes(type) ? AggregationTemporality.DELTA : AggregationTemporality.CUMULATIVE;
}

/** Has the SDK read the metrics whenever it collects. */
export function register(meter: Meter, gauges: Gauges, metrics: readonly Metric[]): void {
  for (const metric of metrics) {
    const { name, help: description, kind, points } = metric;
    if (kind === "gauge") {
      gauges.add(metric);
      continue;
    }
    const instrument =
      kind === "counter"
        ? meter.createObservableCounter(name, { description })
        : meter.createObservableUpDownCounter(name, { description });
    instrument.addCallback((result) => {
      for (const { value, labels } of points()) result.observe(value, labels);
    });
  }
}
