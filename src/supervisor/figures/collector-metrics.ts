import { request } from "node:http";
import { at, isList, isTree, mapAt, type Tree, type Value } from "../../foundation/collector-yaml/tree.ts";
import { YamlProblem } from "../../foundation/collector-yaml/yaml-problem.ts";
import { readYaml } from "../../foundation/collector-yaml/yaml-reader.ts";
import type { SignalFigures, TelemetryFigures } from "../../opamp/figures.ts";

const timeoutMs = 2_000;
/** A Collector with hundreds of components stays far below. */
const maxBytes = 4 * 1024 * 1024;

/**
 * Where the Collector offers its own metrics on this host, by the configuration that it reports; undefined where it does
 * not. Nothing is added to a configuration for the sake of it.
 */
export function metricsAddress(effectiveConfig: string): URL | undefined {
  const metrics = telemetryMetrics(effectiveConfig);
  const { level, readers } = metrics;
  if (typeof level === "string" && level.toLowerCase() === "none") return undefined;
  for (const reader of isList(readers) ? readers : []) {
    const prometheus = at(reader, ["pull", "exporter", "prometheus"]);
    if (!isTree(prometheus)) continue;
    const { host, port } = prometheus;
    const url = typeof port === "bigint" ? URL.parse(`http://${reachable(host)}:${port}/metrics`) : null;
    if (url !== null) return url;
  }
  return undefined;
}

function telemetryMetrics(effectiveConfig: string): Tree {
  // What is before it may be megabytes, and in the Collector's report it is the last section.
  const service = effectiveConfig.search(/^service:/m);
  if (service === -1) return {};
  try {
    return mapAt(readYaml(effectiveConfig.slice(service)), ["service", "telemetry", "metrics"]);
  } catch (error) {
    if (error instanceof YamlProblem) return {};
    throw error;
  }
}

/** An address that is listened on, as one to connect to. */
function reachable(host: Value | undefined): string {
  if (typeof host !== "string" || host === "" || host === "0.0.0.0") return "127.0.0.1";
  if (host === "::") return "[::1]";
  return host.includes(":") ? `[${host}]` : host;
}

/** The metrics of that address in Prometheus' text format; undefined when they cannot be had. Never rejects. */
export function readMetrics(address: URL): Promise<string | undefined> {
  return new Promise((resolve) => {
    const none = () => resolve(undefined);
    const asked = request(address, { agent: false, signal: AbortSignal.timeout(timeoutMs) }, (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on("error", none);
      response.on("data", (chunk: Buffer) => {
        size += chunk.length;
        if (size > maxBytes) response.destroy(new Error("too many metrics"));
        else chunks.push(chunk);
      });
      response.on("end", () =>
        resolve(response.statusCode === 200 ? Buffer.concat(chunks).toString() : undefined),
      );
    });
    asked.on("error", none);
    asked.end();
  });
}

const signalOf: Readonly<Record<string, "traces" | "metrics" | "logs">> = {
  spans: "traces",
  metric_points: "metrics",
  log_records: "logs",
};

const countOf: Readonly<Record<string, keyof SignalFigures>> = {
  receiver_accepted: "accepted",
  receiver_refused: "refused",
  exporter_sent: "sent",
  exporter_send_failed: "send_failed",
  exporter_enqueue_failed: "enqueue_failed",
};

const countName =
  /^otelcol_(receiver_accepted|receiver_refused|exporter_sent|exporter_send_failed|exporter_enqueue_failed)_(spans|metric_points|log_records)(?:_total)?$/;
const queueName = /^otelcol_exporter_queue_(size|capacity)$/;
const durationName =
  /^(?:otelcol_)?(?:http_client(?:_request)?|rpc_client(?:_call)?)_duration(?:_(seconds|milliseconds))?_(sum|count)$/;

/** What rollouts judge by, of the Collector's own metrics in Prometheus' text format; each is the sum over all labels. */
export function toFigures(text: string): TelemetryFigures {
  const figures: TelemetryFigures = {};
  for (const line of text.split("\n")) {
    const [, name, number] = /^([A-Za-z_:][\w:]*)(?:\{.*\})?\s+(\S+)/.exec(line) ?? [];
    const value = Number(number);
    if (name === undefined || !Number.isFinite(value) || value < 0) continue;
    add(figures, name, value);
  }
  return figures;
}

function add(figures: TelemetryFigures, name: string, value: number): void {
  const [, count, items] = countName.exec(name) ?? [];
  if (count !== undefined && items !== undefined) {
    const signal = signalOf[items];
    const key = countOf[count];
    if (signal === undefined || key === undefined) return;
    const counts = figures[signal] ?? {};
    figures[signal] = counts;
    counts[key] = (counts[key] ?? 0) + value;
    return;
  }
  const [, queued] = queueName.exec(name) ?? [];
  if (queued === "size" || queued === "capacity") {
    const queue = figures.queue ?? { size: 0, capacity: 0 };
    figures.queue = queue;
    queue[queued] += value;
    return;
  }
  const [duration, unit, part] = durationName.exec(name) ?? [];
  if (duration !== undefined) {
    const durations = figures.send_duration ?? { count: 0, seconds: 0 };
    figures.send_duration = durations;
    if (part === "count") durations.count += value;
    else durations.seconds += unit === "seconds" ? value : value / 1_000;
  }
  if (name === "go_goroutines") figures.goroutines = value;
}
