import { describeError } from "../../foundation/errors.ts";
import type { TelemetrySettings } from "../settings/telemetry-settings.ts";
import { noTelemetry, type TelemetryPipeline } from "./telemetry.ts";
import type { TelemetryOptions } from "./telemetry-options.ts";

/**
 * Telemetry as the settings have it. The SDK is only loaded if there is something to send to. That it
 * cannot be started is told to the log and keeps nobody from working.
 */
export async function openTelemetry(
  settings: TelemetrySettings,
  options: TelemetryOptions,
): Promise<TelemetryPipeline> {
  const wanted = withoutSwitchedOff(settings);
  const { logs, metrics, traces } = wanted;
  if (logs.processors.length + metrics.readers.length + traces.processors.length === 0) return noTelemetry;
  try {
    const { startSdk } = await import("./sdk/start-sdk.ts");
    return await startSdk(wanted, options);
  } catch (error) {
    const fields = { event: "telemetry_failed", error: describeError(error) };
    options.logger.error(fields, "the supervisor's own telemetry cannot be started");
    return noTelemetry;
  }
}

function withoutSwitchedOff(settings: TelemetrySettings): TelemetrySettings {
  const { metrics, traces } = settings;
  return {
    ...settings,
    metrics: { ...metrics, readers: metrics.level === "none" ? [] : metrics.readers },
    traces: { ...traces, processors: traces.level === "none" ? [] : traces.processors },
  };
}
