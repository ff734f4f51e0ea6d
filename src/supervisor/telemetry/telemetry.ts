import type { LogComponent, Logger } from "../../foundation/logger.ts";
import type { Metric } from "../../foundation/metrics/metric.ts";
import type { OtlpSettings } from "../settings/telemetry-settings.ts";
import { noTracer, type Tracer } from "./tracer.ts";

/** Where an offer of own telemetry leads each signal. */
export interface OfferedDestinations {
  readonly logs?: OtlpSettings | undefined;
  readonly metrics?: OtlpSettings | undefined;
  readonly traces?: OtlpSettings | undefined;
}

/** Where the supervisor's own logs, spans and metrics go besides its log output. */
export interface Telemetry extends TelemetryPipeline {
  /** What the Collector's own telemetry follows; see redirectable-telemetry.ts. Must not reject. */
  redirect(offered: OfferedDestinations): Promise<void>;
}

/** The same for as long as it goes to one place. */
export interface TelemetryPipeline {
  readonly tracer: Tracer;
  /** A logger whose lines also go out as log records; what goes wrong on the way is only told to `local`. */
  logger(component: LogComponent, local: Logger): Logger;
  /** Has these read whenever metrics are collected. */
  observe(metrics: readonly Metric[]): void;
  /** Tells `service.instance.id`. Nothing goes out before that, or before the end. */
  identify(instanceUid: string): void;
  /** Sends what waits, for five seconds at most, as the reference does. Must not reject. */
  close(): Promise<void>;
}

/** Telemetry that nobody asked for. */
export const noTelemetry: TelemetryPipeline = {
  tracer: noTracer,
  logger: (_component, local) => local,
  observe: () => undefined,
  identify: () => undefined,
  close: () => Promise.resolve(),
};
