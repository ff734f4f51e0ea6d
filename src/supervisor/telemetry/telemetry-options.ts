import type { Clock } from "../../foundation/clock.ts";
import type { Logger, LogLevel } from "../../foundation/logger.ts";

/** What telemetry takes from the program. */
export interface TelemetryOptions {
  /** `service.version`. */
  readonly version: string;
  /** Lines below it do not go out. */
  readonly level: LogLevel;
  /** Hides every secret of the settings in a text. */
  readonly mask: (text: string) => string;
  /** Told of what goes wrong with telemetry. It must lead nowhere but to the log output. */
  readonly logger: Logger;
  readonly clock: Clock;
}
