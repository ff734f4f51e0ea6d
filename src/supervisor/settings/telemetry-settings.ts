import type { LogLevel } from "../../foundation/logger.ts";
import type { TextMap } from "./supervisor-settings.ts";

export const telemetryLevels = ["none", "basic", "normal", "detailed"] as const;
export type TelemetryLevel = (typeof telemetryLevels)[number];

export const logFormats = ["json", "terminal", "auto"] as const;
export type LogFormat = (typeof logFormats)[number];

/** `telemetry`: the supervisor's own. Processors and readers follow the declarative configuration v0.3.0. */
export interface TelemetrySettings {
  readonly logs: {
    readonly level: LogLevel;
    /** Ours. `auto`: terminal where standard output is one, else json. */
    readonly format: LogFormat;
    readonly outputPaths: readonly string[];
    readonly errorOutputPaths: readonly string[];
    readonly processors: readonly ProcessorSettings[];
  };
  readonly metrics: {
    /** `none` switches the readers off. */
    readonly level: TelemetryLevel;
    readonly readers: readonly MetricReaderSettings[];
  };
  readonly traces: {
    /** `none` switches the processors off. */
    readonly level: TelemetryLevel;
    readonly propagators: readonly string[];
    readonly processors: readonly ProcessorSettings[];
    readonly sampler: SamplerSettings | undefined;
    readonly limits: SpanLimitSettings | undefined;
  };
  /** Attributes of the supervisor, over its own. */
  readonly resource: TextMap;
}

/** Of spans or of log records. Undefined: the SDK's default. */
export type ProcessorSettings =
  | { readonly kind: "simple"; readonly exporter: ExporterSettings }
  | {
      readonly kind: "batch";
      readonly exporter: ExporterSettings;
      readonly scheduleDelayMs: number | undefined;
      readonly exportTimeoutMs: number | undefined;
      readonly maxQueueSize: number | undefined;
      readonly maxExportBatchSize: number | undefined;
    };

export type MetricReaderSettings =
  | {
      readonly kind: "periodic";
      readonly exporter: ExporterSettings;
      readonly intervalMs: number;
      readonly timeoutMs: number;
    }
  | { readonly kind: "pull"; readonly exporter: PrometheusSettings };

export type ExporterSettings = OtlpSettings | { readonly kind: "console" };

export const otlpProtocols = ["http/protobuf", "http/json", "grpc"] as const;
export type OtlpProtocol = (typeof otlpProtocols)[number];

export const compressions = ["none", "gzip"] as const;
export type Compression = (typeof compressions)[number];

export const temporalities = ["cumulative", "delta", "lowmemory"] as const;
export type Temporality = (typeof temporalities)[number];

export interface OtlpSettings {
  readonly kind: "otlp";
  readonly protocol: OtlpProtocol;
  /** An http or https URL, of gRPC also `host:port`. Undefined: this host, on the protocol's own port. */
  readonly endpoint: string | undefined;
  /** Values are secrets. */
  readonly headers: TextMap;
  /** Of one export with all its attempts. */
  readonly timeoutMs: number;
  readonly compression: Compression;
  /** No TLS; only asked where a gRPC endpoint has no scheme. */
  readonly insecure: boolean;
  /** Paths of PEM files. */
  readonly certificate: string | undefined;
  readonly clientKey: string | undefined;
  readonly clientCertificate: string | undefined;
  /** Only of metrics. */
  readonly temporality: Temporality;
}

export interface PrometheusSettings {
  readonly kind: "prometheus";
  readonly host: string;
  readonly port: number;
  readonly withoutScopeInfo: boolean;
  /** Keys that the file has, that are accepted, and that have no effect here. */
  readonly unusedKeys: readonly string[];
}

export type SamplerSettings =
  | { readonly kind: "always_on" }
  | { readonly kind: "always_off" }
  | { readonly kind: "trace_id_ratio_based"; readonly ratio: number }
  /** Undefined: always on for the root and where the parent is sampled, else always off. */
  | {
      readonly kind: "parent_based";
      readonly root: SamplerSettings | undefined;
      readonly localParentSampled: SamplerSettings | undefined;
      readonly localParentNotSampled: SamplerSettings | undefined;
    };

/** Undefined: the SDK's default. */
export interface SpanLimitSettings {
  readonly attributeValueLengthLimit: number | undefined;
  readonly attributeCountLimit: number | undefined;
  readonly eventCountLimit: number | undefined;
  readonly linkCountLimit: number | undefined;
  readonly eventAttributeCountLimit: number | undefined;
  readonly linkAttributeCountLimit: number | undefined;
}
