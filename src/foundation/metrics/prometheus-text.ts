import type { Metric, Point } from "./metric.ts";

/** Content type of {@link formatPrometheus}. */
export const prometheusContentType = "text/plain; version=0.0.4; charset=utf-8";

const types = {
  gauge: "gauge",
  counter: "counter",
  "up-down-counter": "gauge",
  histogram: "histogram",
} as const;

/** The present values in Prometheus' text format 0.0.4. A metric of which nothing is known is left out. */
export function formatPrometheus(metrics: readonly Metric[]): string {
  const lines = metrics.flatMap((metric) => {
    const points = metric.points();
    if (points.length === 0) return [];
    const name = metric.name.replaceAll(/[^a-zA-Z0-9_:]/g, "_");
    const help = metric.help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
    return [
      `# HELP ${name} ${help}`,
      `# TYPE ${name} ${types[metric.kind]}`,
      ...points.map(
        (point) => `${name}${point.suffix ?? ""}${formatLabels(point)} ${formatValue(point.value)}`,
      ),
    ];
  });
  return lines.map((line) => `${line}\n`).join("");
}

function formatLabels({ labels }: Point): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function escapeLabel(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

function formatValue(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "+Inf" : "-Inf";
  return String(value);
}
