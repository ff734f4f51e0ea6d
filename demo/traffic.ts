import { startOtlpSender } from "../test/support/otlp-sender.ts";
import { OtlpSink } from "../test/support/otlp-sink.ts";

/** What senders of telemetry noticed of something. */
export interface Noticed {
  sent: number;
  /** Records that the Collector did not accept. */
  refused: number;
  /** Longest time between two that it accepted, in milliseconds. */
  longestGapMs: number;
}

/** Numbered records through a Collector, counted where they are sent and at its backend. */
export class Traffic implements AsyncDisposable {
  readonly #port: number;
  readonly #sink: OtlpSink;

  private constructor(port: number, sink: OtlpSink) {
    this.#port = port;
    this.#sink = sink;
  }

  /** Records are sent to `port` of loopback, and the backend is open. */
  static async to(port: number): Promise<Traffic> {
    return new Traffic(port, await OtlpSink.start());
  }

  /** A configuration that takes records in over OTLP, gives them a team by an OTTL rule, and sends them on. */
  get configuration(): string {
    return `receivers:
  otlp:
    protocols: { http: { endpoint: 127.0.0.1:${this.#port} } }
processors:
  transform:
    log_statements:
      - context: resource
        statements: ['set(attributes["team"], "platform")']
exporters:
  otlp_http: ${JSON.stringify(this.#sink.exporter)}
service:
  pipelines:
    logs: { receivers: [otlp], processors: [transform], exporters: [otlp_http] }
`;
  }

  /**
   * Sends one every ten milliseconds, on connections of their own, before, while and after `action` runs.
   * @throws if an accepted one did not arrive.
   */
  async during(action: () => Promise<unknown>): Promise<Noticed> {
    this.#sink.received.clear();
    const sender = startOtlpSender({ endpoint: `http://127.0.0.1:${this.#port}` });
    try {
      await sender.accepted();
      await action();
      await sender.accepted();
    } finally {
      await sender.stop();
    }
    const { results, accepted, refused, longestGapMs } = await sender.stop();
    await this.#sink.waitFor(accepted);
    return { sent: results.length, refused: refused.length, longestGapMs: Math.round(longestGapMs) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sink[Symbol.asyncDispose]();
  }
}
