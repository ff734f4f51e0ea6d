import { describe, expect, it } from "vitest";
import { failureOf, fileWith, load } from "../settings/support.ts";

const telemetry = (...lines: string[]) => load(fileWith("telemetry", ...lines)).settings.telemetry;
const otlp = (keys: string) => `traces: {processors: [{simple: {exporter: {otlp: {${keys}}}}}]}`;
const exporterOf = (keys: string) => telemetry(otlp(keys)).traces.processors[0]?.exporter;

describe("telemetry.*.processors", () => {
  it("take the declarative configuration: durations in milliseconds, or as Go writes them", () => {
    const batch = `logs: {processors: [{batch: {schedule_delay: 2000, export_timeout: 3s, max_queue_size: 4,
      max_export_batch_size: 5, exporter: {console: }}}]}`;
    expect(telemetry(batch).logs.processors).toEqual([
      {
        kind: "batch",
        exporter: { kind: "console" },
        scheduleDelayMs: 2_000,
        exportTimeoutMs: 3_000,
        maxQueueSize: 4,
        maxExportBatchSize: 5,
      },
    ]);
  });

  it("take every key of an OTLP exporter", () => {
    const keys = `protocol: grpc, endpoint: "h:1", headers: {a: b}, headers_list: "a=x,c=d%20e", timeout: 1000,
      compression: gzip, insecure: true, certificate: f, client_key: k, client_certificate: c`;
    expect(exporterOf(keys)).toEqual({
      kind: "otlp",
      protocol: "grpc",
      endpoint: "h:1",
      headers: { a: "b", c: "d e" },
      timeoutMs: 1_000,
      compression: "gzip",
      insecure: true,
      certificate: "f",
      clientKey: "k",
      clientCertificate: "c",
      temporality: "cumulative",
    });
    expect(exporterOf("protocol: http/json")).toMatchObject({ endpoint: undefined, timeoutMs: 10_000 });
  });
});

describe("telemetry.metrics.readers", () => {
  it("take periodic and pull readers", () => {
    const { readers } = telemetry(`metrics: {readers: [
      {periodic: {interval: 1000, timeout: 500, exporter: {otlp: {protocol: http/protobuf,
        temporality_preference: delta, default_histogram_aggregation: explicit_bucket_histogram}}}},
      {pull: {exporter: {prometheus: {host: h, port: 1, without_scope_info: true}}}}]}`).metrics;
    expect(readers).toMatchObject([
      { kind: "periodic", intervalMs: 1_000, timeoutMs: 500, exporter: { temporality: "delta" } },
      { kind: "pull", exporter: { host: "h", port: 1, withoutScopeInfo: true, unusedKeys: [] } },
    ]);
  });

  it("warn of keys without effect", () => {
    const text = fileWith(
      "telemetry",
      "metrics: {readers: [{pull: {exporter: {prometheus: {without_units: true}}}}]}",
    );
    expect(load(text).warnings).toEqual([
      "s.yaml: telemetry.metrics.readers[0].pull.exporter.prometheus.without_units: has no effect here",
    ]);
  });
});

describe("telemetry.traces.sampler and telemetry.resource", () => {
  it("nest samplers", () => {
    const { sampler } = telemetry(
      "traces: {sampler: {parent_based: {root: {trace_id_ratio_based: {ratio: 0.5}}}}}",
    ).traces;
    expect(sampler).toMatchObject({
      kind: "parent_based",
      root: { kind: "trace_id_ratio_based", ratio: 0.5 },
    });
  });

  it("skip an attribute without a value, on which the reference panics", () => {
    expect(telemetry("resource: {a: , service.name: ~, b: '', c: 1}").resource).toEqual({ b: "", c: "1" });
  });
});

describe("a mistake", () => {
  const processors = "telemetry.traces.processors[0]";
  it.each([
    [
      "traces: {processors: [{bach: {}}]}",
      `${processors}.bach`,
      "unknown kind; expected a processor: one of batch, simple",
    ],
    [
      "traces: {processors: [{}]}",
      processors,
      "expected a processor: one of batch, simple, got an empty map",
    ],
    ["traces: {processors: [batch]}", processors, "expected a processor: one of batch, simple, got text"],
    ["traces: {processors: {batch: {}}}", "telemetry.traces.processors", "expected a list, got a map"],
    ["traces: {processors: [{batch: }]}", `${processors}.batch.exporter`, "must be specified"],
    [
      "traces: {processors: [{simple: {exporter: {zipkin: {}}}}]}",
      `${processors}.simple.exporter.zipkin`,
      "one of otlp, console",
    ],
    [
      otlp("endpoint: http://h"),
      `${processors}.simple.exporter.otlp.protocol`,
      "http/protobuf, http/json, grpc",
    ],
    [otlp("protocol: http"), `${processors}.simple.exporter.otlp.protocol`, "expected one of"],
    [
      otlp("protocol: http/json, endpoint: 'h:4318'"),
      `${processors}.simple.exporter.otlp.endpoint`,
      "expected a URL such as",
    ],
    [
      otlp("protocol: grpc, endpoint: h"),
      `${processors}.simple.exporter.otlp.endpoint`,
      "otlp.example.com:4317",
    ],
    [
      otlp("protocol: grpc, headers: {'a b': c}"),
      `${processors}.simple.exporter.otlp.headers`,
      "names of HTTP headers",
    ],
    [
      otlp("protocol: grpc, headers: [{value: c}]"),
      `${processors}.simple.exporter.otlp.headers`,
      "names of HTTP headers",
    ],
    [
      otlp("protocol: grpc, headers: {a: [c]}"),
      `${processors}.simple.exporter.otlp.headers`,
      "printable text",
    ],
    [
      otlp("protocol: grpc, client_key: k"),
      `${processors}.simple.exporter.otlp`,
      "client_key and client_certificate",
    ],
    [
      otlp("protocol: grpc, timeout: 0"),
      `${processors}.simple.exporter.otlp.timeout`,
      "expected milliseconds",
    ],
    [
      otlp("protocol: grpc, endpiont: h"),
      `${processors}.simple.exporter.otlp.endpiont`,
      "did you mean endpoint?",
    ],
    [
      "metrics: {readers: [{pull: {exporter: {otlp: {}}}}]}",
      "telemetry.metrics.readers[0].pull.exporter.otlp",
      "one of prometheus",
    ],
    ["traces: {sampler: {jaeger_remote: {}}}", "telemetry.traces.sampler.jaeger_remote", "one of always_on"],
    [
      "traces: {sampler: {trace_id_ratio_based: {ratio: 2}}}",
      "telemetry.traces.sampler.trace_id_ratio_based.ratio",
      "a number from 0 to 1",
    ],
    [
      "traces: {limits: {event_count_limit: -1}}",
      "telemetry.traces.limits.event_count_limit",
      "expected a whole number",
    ],
  ])("in %s is told with its place", (line, path, message) => {
    const { problems } = failureOf(fileWith("telemetry", line));
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatchObject({ path, line: 6 });
    expect(problems[0]?.message).toContain(message);
  });
});
