import { MeterProvider } from "@opentelemetry/sdk-metrics";
import { wait } from "../../../foundation/clock.ts";
import type { TelemetrySettings } from "../../settings/telemetry-settings.ts";
import type { TelemetryPipeline } from "../telemetry.ts";
import type { TelemetryOptions } from "../telemetry-options.ts";
import { Gauges } from "./gauges.ts";
import { forwardingLogger, makeLoggerProvider } from "./sdk-logs.ts";
import { makeReaders, register } from "./sdk-metrics.ts";
import { supervisorResource } from "./sdk-resource.ts";
import { makeTracerProvider, SdkTracer } from "./sdk-traces.ts";

/** As long as the reference's shutdown may take. */
const closeTimeoutMs = 5_000;

/**
 * Starts the OpenTelemetry SDK. Nothing is registered globally: nothing else in this process is traced.
 * An exporter that cannot be set up is left out, with an error in the log.
 */
export async function startSdk(
  settings: TelemetrySettings,
  options: TelemetryOptions,
): Promise<TelemetryPipeline> {
  const { version, level, mask, clock } = options;
  const { promise: instanceId, resolve: identify } = Promise.withResolvers<string | undefined>();
  const resource = supervisorResource({ version, instanceId, given: settings.resource });
  const loggers = await makeLoggerProvider(settings.logs, resource, options);
  const tracers = await makeTracerProvider(settings.traces, resource, options);
  const scope = { name: "opamp-supervisor", version };
  const gauges = new Gauges(resource, scope);
  const readers = await makeReaders(settings.metrics, gauges, options);
  const meters = new MeterProvider({ resource, readers });
  const tracer = new SdkTracer(tracers.getTracer(scope.name, version), mask);
  const close = async () => {
    identify(undefined);
    const timeLimit = new AbortController();
    const closing = Promise.allSettled([tracers.shutdown(), meters.shutdown(), loggers.shutdown()]);
    const late = wait(clock, closeTimeoutMs, timeLimit.signal).catch(() => undefined);
    await Promise.race([closing, late]);
    timeLimit.abort();
  };
  let closed: Promise<void> | undefined;
  return {
    tracer,
    logger: (component, local) =>
      forwardingLogger(local, { level, mask, tracer, records: loggers.getLogger(component, version) }),
    observe: (metrics) => register(meters.getMeter(scope.name, version), gauges, metrics),
    identify,
    close: () => {
      closed ??= close();
      return closed;
    },
  };
}
