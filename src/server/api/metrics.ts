import type { Metric } from "../../foundation/metrics/metric.ts";
import { formatPrometheus, prometheusContentType } from "../../foundation/metrics/prometheus-text.ts";
import type { Api } from "./api.ts";

export interface MetricsApi {
  metrics: readonly Metric[];
}

export function metricsRoutes(api: Api, { metrics }: MetricsApi): void {
  api.get(
    "/metrics",
    { schema: { tags: ["probes"], summary: "What Prometheus scrapes", produces: ["text/plain"] } },
    (_request, reply) =>
      reply.header("content-type", prometheusContentType).send(Buffer.from(formatPrometheus(metrics))),
  );
}
