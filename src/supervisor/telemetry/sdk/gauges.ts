import { type HrTime, ValueType } from "@opentelemetry/api";
import type { InstrumentationScope } from "@opentelemetry/core";
import type { Resource } from "@opentelemetry/resources";
import {
  AggregationTemporality,
  type CollectionResult,
  DataPointType,
  type GaugeMetricData,
  type MetricProducer,
} from "@opentelemetry/sdk-metrics";
import type { Metric } from "../../../foundation/metrics/metric.ts";

/**
 * Gives readers the gauges as they are at the moment. An observable gauge of the SDK would go on about every
 * set of labels that it ever saw, such as the hash of a configuration that is gone.
 */
export class Gauges implements MetricProducer {
  readonly #resource: Resource;
  readonly #scope: InstrumentationScope;
  readonly #metrics: Metric[] = [];

  constructor(resource: Resource, scope: InstrumentationScope) {
    this.#resource = resource;
    this.#scope = scope;
  }

  add(metric: Metric): void {
    this.#metrics.push(metric);
  }

  collect(): Promise<CollectionResult> {
    const now = Date.now();
    const time: HrTime = [Math.floor(now / 1_000), (now % 1_000) * 1_000_000];
    const metrics = this.#metrics.map((metric) => toGauge(metric, time));
    const scopeMetrics = [{ scope: this.#scope, metrics: metrics.filter((m) => m.dataPoints.length > 0) }];
    return Promise.resolve({ resourceMetrics: { resource: this.#resource, scopeMetrics }, errors: [] });
  }
}

function toGauge({ name, help, points }: Metric, time: HrTime): GaugeMetricData {
  return {
    descriptor: { name, description: help, unit: "", valueType: ValueType.DOUBLE },
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
    dataPointType: DataPointType.GAUGE,
    dataPoints: points().map(({ value, labels }) => ({
      startTime: time,
      endTime: time,
      attributes: labels,
      value,
    })),
  };
}
