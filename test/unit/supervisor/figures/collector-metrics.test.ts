import { describe, expect, it } from "vitest";
import { metricsAddress, toFigures } from "../../../../src/supervisor/figures/collector-metrics.ts";

const reporting = (metrics: string) =>
  `exporters: {}\nservice:\n    telemetry:\n        metrics: ${metrics}\n`;
const pull = (host: string) =>
  `{level: Basic, readers: [{periodic: {exporter: {otlp: {endpoint: x}}}}, {pull: {exporter: {prometheus: {host: "${host}", port: 8888}}}}]}`;

describe("where the Collector offers its metrics", () => {
  it.each([
    ["localhost", "http://localhost:8888/metrics"],
    ["0.0.0.0", "http://127.0.0.1:8888/metrics"],
    ["::", "http://[::1]:8888/metrics"],
    ["fe80::1", "http://[fe80::1]:8888/metrics"],
  ])("is what it says it listens on: %s", (host, address) => {
    expect(metricsAddress(reporting(pull(host)))?.href).toBe(address);
  });

  it.each([
    ["its level is none", reporting(pull("localhost").replace("Basic", "None"))],
    ["it only sends", reporting("{readers: [{periodic: {}}]}")],
    ["it says nothing of it", "exporters: {}\n"],
    ["its report cannot be read", "service: [\n"],
  ])("is nowhere where %s", (_why, text) => {
    expect(metricsAddress(text)).toBeUndefined();
  });
});

describe("figures of the Collector's metrics", () => {
  it("are sums over all components, whatever the suffix of a counter", () => {
    const text = `# HELP otelcol_receiver_accepted_spans x
# TYPE otelcol_receiver_accepted_spans counter
otelcol_receiver_accepted_spans{receiver="otlp",transport="http"} 10
otelcol_receiver_accepted_spans_total{receiver="otlp/2",note="a } b"} 5
otelcol_receiver_refused_log_records_total{receiver="otlp"} 1
otelcol_exporter_sent_metric_points{exporter="a"} 7 1700000000000
otelcol_exporter_send_failed_log_records_total{exporter="a"} 2
otelcol_exporter_enqueue_failed_log_records_total{exporter="a"} 3
otelcol_exporter_queue_size{exporter="a"} 4
otelcol_exporter_queue_capacity{exporter="a"} 1000
otelcol_exporter_queue_capacity{exporter="b"} 500
http_client_request_duration_seconds_sum{x="y"} 1.5
http_client_request_duration_seconds_count{x="y"} 3
rpc_client_duration_milliseconds_sum 500
rpc_client_duration_milliseconds_count 1
go_goroutines 42
otelcol_exporter_sent_spans_total NaN
`;
    expect(toFigures(text)).toEqual({
      traces: { accepted: 15 },
      logs: { refused: 1, send_failed: 2, enqueue_failed: 3 },
      metrics: { sent: 7 },
      queue: { size: 4, capacity: 1_500 },
      send_duration: { count: 4, seconds: 2 },
      goroutines: 42,
    });
  });
});
