import type { ReportedState } from "../../opamp/agent/reported-state.ts";
import type { ConfigurationBook } from "../change/configuration-book.ts";
import type { Collector } from "../collector/collector.ts";
import { OfferSpans, type OfferVerdict } from "./offer-spans.ts";
import { Restarts } from "./restarts.ts";
import { type MetricFacts, supervisorMetrics } from "./supervisor-metrics.ts";
import type { Telemetry } from "./telemetry.ts";

interface ObservationDeps {
  collector: Collector;
  state: ReportedState;
  book: ConfigurationBook;
  connection: MetricFacts["connection"];
}

/** Watches the supervisor's work for its spans and metrics. Where nobody wants them it costs some additions. */
export class Observation {
  readonly #telemetry: Telemetry;
  readonly #deps: ObservationDeps;
  readonly #offers: OfferSpans;
  readonly #restarts = new Restarts();

  constructor(telemetry: Telemetry, deps: ObservationDeps) {
    this.#telemetry = telemetry;
    this.#deps = deps;
    this.#offers = new OfferSpans(telemetry.tracer);
  }

  /** To be called once `state` holds what an earlier process reported, which is not counted again. */
  start(): void {
    const { collector, state, connection } = this.#deps;
    this.#restarts.observe(collector);
    const effectiveConfigHash = () => this.#effectiveConfigHash();
    this.#telemetry.observe(
      supervisorMetrics({ state, restarts: this.#restarts, connection, effectiveConfigHash }),
    );
  }

  /** The server offers a remote configuration. */
  offered(configHash: Uint8Array): void {
    this.#offers.offered(configHash);
  }

  /** What became of it. */
  decided(configHash: Uint8Array, verdict: OfferVerdict): void {
    this.#offers.decided(configHash, verdict);
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
