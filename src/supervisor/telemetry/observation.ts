import type { Clock } from "../../foundation/clock.ts";
import type { Metric } from "../../foundation/metrics/metric.ts";
import type { ReportedState } from "../../opamp/agent/reported-state.ts";
import type { ConfigurationBook } from "../change/configuration-book.ts";
import type { Collector } from "../collector/collector.ts";
import type { PackagesView } from "../packages/statuses.ts";
import { InstallDurations } from "./install-durations.ts";
import { OfferSpans, type OfferVerdict } from "./offer-spans.ts";
import { Restarts } from "./restarts.ts";
import { type MetricFacts, supervisorMetrics } from "./supervisor-metrics.ts";
import type { TelemetryPipeline } from "./telemetry.ts";

interface ObservationDeps extends Pick<MetricFacts, "connection" | "certificates" | "storage"> {
  clock: Clock;
  collector: Collector;
  state: ReportedState;
  book: ConfigurationBook;
}

/** Watches the supervisor's work for its spans and metrics. Where nobody wants them it costs some additions. */
export class Observation {
  readonly #telemetry: TelemetryPipeline;
  readonly #deps: ObservationDeps;
  readonly #offers: OfferSpans;
  readonly #restarts = new Restarts();
  readonly #installs: InstallDurations;
  #metrics: readonly Metric[] = [];

  constructor(telemetry: TelemetryPipeline, deps: ObservationDeps) {
    this.#telemetry = telemetry;
    this.#deps = deps;
    this.#offers = new OfferSpans(telemetry.tracer);
    this.#installs = new InstallDurations(deps.clock);
  }

  /** None before the start. */
  get metrics(): readonly Metric[] {
    return this.#metrics;
  }

  /** Restarts of the Collector by reason, as the metric has them. */
  get restarts(): Record<string, number> {
    const points = this.#restarts.counts.points();
    return Object.fromEntries(points.map(({ labels, value }) => [labels.reason ?? "", value]));
  }

  /** To be called once `state` holds what an earlier process reported, which is not counted again. */
  start(): void {
    this.#restarts.observe(this.#deps.collector);
    this.#metrics = supervisorMetrics({
      ...this.#deps,
      restarts: this.#restarts,
      installs: this.#installs,
      effectiveConfigHash: () => this.#effectiveConfigHash(),
    });
    this.#telemetry.observe(this.#metrics);
  }

  /** The server offers a remote configuration. */
  offered(configHash: Uint8Array): void {
    this.#offers.offered(configHash);
  }

  /** What became of it. */
  decided(configHash: Uint8Array, verdict: OfferVerdict): void {
    this.#offers.decided(configHash, verdict);
  }

  /** What this host has of the server's packages, or is about to have. */
  packages(view: PackagesView): void {
    this.#installs.changed(view);
  }

  /** Runs what the server's restart command does. */
  command(restart: () => Promise<void>): Promise<void> {
    return this.#restarts.command(restart);
  }

  #effectiveConfigHash(): string | undefined {
    const { state } = this.#deps.collector;
    const { current } = this.#deps.book;
    const runs = "process" in state && "launch" in state && state.launch.mark === current?.id;
    return runs ? current.contentHash : undefined;
  }
}
