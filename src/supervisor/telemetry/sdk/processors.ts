import { describeError } from "../../../foundation/errors.ts";
import type { ProcessorSettings } from "../../settings/telemetry-settings.ts";
import type { TelemetryOptions } from "../telemetry-options.ts";

/** The settings of a batch processor as the SDK takes them. */
export function batchOptions(settings: Extract<ProcessorSettings, { kind: "batch" }>) {
  const { scheduleDelayMs, exportTimeoutMs, maxQueueSize, maxExportBatchSize } = settings;
  return {
    ...(scheduleDelayMs !== undefined && { scheduledDelayMillis: scheduleDelayMs }),
    ...(exportTimeoutMs !== undefined && { exportTimeoutMillis: exportTimeoutMs }),
    ...(maxQueueSize !== undefined && { maxQueueSize }),
    ...(maxExportBatchSize !== undefined && { maxExportBatchSize }),
  };
}

/** Makes one thing of each setting. One that cannot be made, such as for a missing file, is left out. */
export async function makeAll<S, T>(
  signal: string,
  settings: readonly S[],
  { logger }: Pick<TelemetryOptions, "logger">,
  make: (each: S) => Promise<T>,
): Promise<T[]> {
  const made: T[] = [];
  for (const each of settings) {
    try {
      made.push(await make(each));
    } catch (error) {
      const fields = { event: "telemetry_failed", signal, error: describeError(error) };
      logger.error(fields, `an exporter of telemetry.${signal} cannot be used and is left out`);
    }
  }
  return made;
}
