import {
  type Tracer as ApiTracer,
  type Context,
  ROOT_CONTEXT,
  type Span as SdkSpan,
  SpanStatusCode,
  trace,
} from "@opentelemetry/api";
import {
  JsonTraceSerializer,
  ProtobufTraceSerializer,
  TraceExporterMetricsHelper,
} from "@opentelemetry/otlp-transformer";
import type { Resource } from "@opentelemetry/resources";
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ConsoleSpanExporter,
  ParentBasedSampler,
  type Sampler,
  SimpleSpanProcessor,
  type SpanExporter,
  type SpanLimits,
  type SpanProcessor,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import type {
  ProcessorSettings,
  SamplerSettings,
  SpanLimitSettings,
  TelemetrySettings,
} from "../../settings/telemetry-settings.ts";
import type { TelemetryOptions } from "../telemetry-options.ts";
import type { Span, SpanAttributes, SpanName, Tracer } from "../tracer.ts";
import { type OtlpSignal, openOtlp } from "./otlp-exporter.ts";
import { batchOptions, makeAll } from "./processors.ts";

const signal: OtlpSignal<Parameters<SpanExporter["export"]>[0]> = {
  name: "traces",
  path: "/v1/traces",
  service: "opentelemetry.proto.collector.trace.v1.TraceService",
  protobuf: ProtobufTraceSerializer,
  json: JsonTraceSerializer,
  counting: TraceExporterMetricsHelper,
};

export async function makeTracerProvider(
  settings: TelemetrySettings["traces"],
  resource: Resource,
  options: TelemetryOptions,
): Promise<TracerProvider> {
  const spanProcessors = await makeAll("traces", settings.processors, options, async (each) =>
    makeProcessor(each, await makeExporter(each, options)),
  );
  return new TracerProvider({
    resource,
    spanProcessors,
    spanLimits: toSpanLimits(settings.limits),
    // Without anywhere to go to, no span is worth being recorded.
    sampler: spanProcessors.length === 0 ? new AlwaysOffSampler() : toSampler(settings.sampler),
  });
}

async function makeExporter(
  { exporter }: ProcessorSettings,
  options: TelemetryOptions,
): Promise<SpanExporter> {
  return exporter.kind === "console" ? new ConsoleSpanExporter() : await openOtlp(signal, exporter, options);
}

function makeProcessor(settings: ProcessorSettings, exporter: SpanExporter): SpanProcessor {
  return settings.kind === "simple"
    ? new SimpleSpanProcessor({ exporter })
    : new BatchSpanProcessor({ exporter, ...batchOptions(settings) });
}

function toSpanLimits(limits: SpanLimitSettings | undefined): SpanLimits {
  if (limits === undefined) return {};
  const { attributeValueLengthLimit, attributeCountLimit, eventCountLimit, linkCountLimit } = limits;
  const { eventAttributeCountLimit, linkAttributeCountLimit } = limits;
  return {
    ...(attributeValueLengthLimit !== undefined && { attributeValueLengthLimit }),
    ...(attributeCountLimit !== undefined && { attributeCountLimit }),
    ...(eventCountLimit !== undefined && { eventCountLimit }),
    ...(linkCountLimit !== undefined && { linkCountLimit }),
    ...(eventAttributeCountLimit !== undefined && { attributePerEventCountLimit: eventAttributeCountLimit }),
    ...(linkAttributeCountLimit !== undefined && { attributePerLinkCountLimit: linkAttributeCountLimit }),
  };
}

function toSampler(settings: SamplerSettings | undefined): Sampler {
  switch (settings?.kind) {
    case "always_off":
      return new AlwaysOffSampler();
    case "trace_id_ratio_based":
      return new TraceIdRatioBasedSampler(settings.ratio);
    case "parent_based": {
      const { root, localParentSampled, localParentNotSampled } = settings;
      return new ParentBasedSampler({
        root: toSampler(root),
        ...(localParentSampled && { localParentSampled: toSampler(localParentSampled) }),
        ...(localParentNotSampled && { localParentNotSampled: toSampler(localParentNotSampled) }),
      });
    }
    case "always_on":
    case undefined:
      return new AlwaysOnSampler();
  }
}

/** Traces with the SDK. Parents are known within synchronous code only, which needs no context manager. */
export class SdkTracer implements Tracer {
  readonly #tracer: ApiTracer;
  readonly #mask: (text: string) => string;
  #context: Context = ROOT_CONTEXT;

  constructor(tracer: ApiTracer, mask: (text: string) => string) {
    this.#tracer = tracer;
    this.#mask = mask;
  }

  /** Holds the span of the innermost {@link during}. */
  get context(): Context {
    return this.#context;
  }

  start(name: SpanName, attributes: SpanAttributes = {}): Span {
    return this.#wrap(this.#start(name, attributes));
  }

  during<T>(name: SpanName, run: (span: Span) => T, attributes: SpanAttributes = {}): T {
    const outer = this.#context;
    const sdkSpan = this.#start(name, attributes);
    const span = this.#wrap(sdkSpan);
    this.#context = trace.setSpan(outer, sdkSpan);
    try {
      const result = run(span);
      span.end();
      return result;
    } catch (error) {
      span.end(error instanceof Error ? error.message : String(error));
      throw error;
    } finally {
      this.#context = outer;
    }
  }

  #start(name: SpanName, attributes: SpanAttributes): SdkSpan {
    return this.#tracer.startSpan(name, { attributes: this.#masked(attributes) }, this.#context);
  }

  #wrap(span: SdkSpan): Span {
    return {
      set: (attributes) => void span.setAttributes(this.#masked(attributes)),
      end: (failure) => {
        if (!span.isRecording()) return;
        if (failure === undefined) span.setStatus({ code: SpanStatusCode.OK });
        else span.setStatus({ code: SpanStatusCode.ERROR, message: this.#mask(failure) });
        span.end();
      },
    };
  }

  #masked(attributes: SpanAttributes): SpanAttributes {
    const entries = Object.entries(attributes);
    return Object.fromEntries(
      entries.map(([name, value]) => [name, typeof value === "string" ? this.#mask(value) : value]),
    );
  }
}
