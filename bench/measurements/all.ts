import type { Measurement } from "../measurement.ts";
import { failsAtStart, unknownComponent } from "./bad-config.ts";
import { collectorKill } from "./collector-kill.ts";
import { configGap } from "./config-gap.ts";
import { configPush } from "./config-push.ts";
import { crashLoop } from "./crash-loop.ts";
import { createIdle } from "./idle.ts";
import { packageDownload } from "./package-download.ts";
import { packageSwap } from "./package-swap.ts";
import { start } from "./start.ts";
import { supervisorKill } from "./supervisor-kill.ts";

/** Every measurement, in the order of the table. */
export function allMeasurements(): Measurement[] {
  return [
    start,
    configPush,
    configGap,
    unknownComponent,
    failsAtStart,
    collectorKill,
    crashLoop,
    supervisorKill,
    packageSwap,
    packageDownload,
    createIdle(),
  ];
}
