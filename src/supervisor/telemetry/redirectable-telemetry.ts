import { isDeepStrictEqual } from "node:util";
import type { Logger } from "../../foundation/logger.ts";
import type { Metric } from "../../foundation/metrics/metric.ts";
import type { OtlpSettings, TelemetrySettings } from "../settings/telemetry-settings.ts";
import type { OfferedDestinations, Telemetry, TelemetryPipeline } from "./telemetry.ts";

/** As the Collector sends its own (AN16). */
const metricsIntervalMs = 10_000;

/**
 * Telemetry that follows offers of own telemetry: a signal for which supervisor.yaml names no receiver goes where the
 * Collector's goes; `level: none` keeps it here.
 */
export class RedirectableTelemetry implements Telemetry {
  readonly tracer: Telemetry["tracer"];
  readonly #settings: TelemetrySettings;
  readonly #open: (settings: TelemetrySettings) => Promise<TelemetryPipeline>;
  readonly #metrics: (readonly Metric[])[] = [];
  #pipeline: TelemetryPipeline;
  #offered: OfferedDestinations = {};
  #instanceUid: string | undefined;
  #busy: Promise<void> = Promise.resolve();
  #closed = false;

  /** `open` must not reject. */
  constructor(
    settings: TelemetrySettings,
    pipeline: TelemetryPipeline,
    open: (settings: TelemetrySettings) => Promise<TelemetryPipeline>,
  ) {
    this.#settings = settings;
    this.#pipeline = pipeline;
    this.#open = open;
    this.tracer = {
      start: (name, attributes) => this.#pipeline.tracer.start(name, attributes),
      during: (name, run, attributes) => this.#pipeline.tracer.during(name, run, attributes),
    };
  }

  logger(...[component, local]: Parameters<Telemetry["logger"]>): Logger {
    let of: TelemetryPipeline | undefined;
    let made = local;
    const now = () => {
      if (of !== this.#pipeline) {
        of = this.#pipeline;
        made = of.logger(component, local);
      }
      return made;
    };
    return {
      debug: (fields, message) => now().debug(fields, message),
      info: (fields, message) => now().info(fields, message),
      warn: (fields, message) => now().warn(fields, message),
      error: (fields, message) => now().error(fields, message),
    };
  }

  observe(metrics: readonly Metric[]): void {
    this.#metrics.push(metrics);
    this.#pipeline.observe(metrics);
  }

  identify(instanceUid: string): void {
    this.#instanceUid = instanceUid;
    this.#pipeline.identify(instanceUid);
  }

  redirect(offered: OfferedDestinations): Promise<void> {
    this.#busy = this.#busy.then(() => this.#redirect(offered));
    return this.#busy;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#busy;
    await this.#pipeline.close();
  }

  async #redirect(offered: OfferedDestinations): Promise<void> {
    const wanted = withOffered(this.#settings, offered);
    const isSame = isDeepStrictEqual(wanted, withOffered(this.#settings, this.#offered));
    if (isSame || this.#closed) return;
    this.#offered = offered;
    const former = this.#pipeline;
    const next = await this.#open(wanted);
    if (this.#instanceUid !== undefined) next.identify(this.#instanceUid);
    for (const metrics of this.#metrics) next.observe(metrics);
    this.#pipeline = next;
    await former.close();
  }
}

function withOffered(settings: TelemetrySettings, offered: OfferedDestinations): TelemetrySettings {
  const { logs, metrics, traces } = settings;
  const batch = (exporter: OtlpSettings) => ({
    kind: "batch" as const,
    exporter,
    scheduleDelayMs: undefined,
    exportTimeoutMs: undefined,
    maxQueueSize: undefined,
    maxExportBatchSize: undefined,
  });
  return {
    ...settings,
    ...(offered.logs &&
      logs.processors.length === 0 && { logs: { ...logs, processors: [batch(offered.logs)] } }),
    ...(offered.traces &&
      traces.processors.length === 0 && { traces: { ...traces, processors: [batch(offered.traces)] } }),
    ...(offered.metrics &&
      metrics.readers.length === 0 && {
        metrics: {
          ...metrics,
          readers: [
            {
              kind: "periodic",
              exporter: offered.metrics,
              intervalMs: metricsIntervalMs,
              timeoutMs: metricsIntervalMs,
            },
          ],
        },
      }),
  };
}
