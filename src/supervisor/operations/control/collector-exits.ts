import type { Clock } from "../../../foundation/clock.ts";
import type { Collector } from "../../collector/collector.ts";
import { type CollectorExit, describeExit } from "../../collector/process.ts";

/** Ends of the Collector that nobody asked for, since this supervisor started. */
export interface CollectorExits {
  count: number;
  /** `at` in milliseconds since the Unix epoch. */
  last: { at: number; how: string } | undefined;
}

/** Counts them from now on. */
export function countExits(
  collector: Collector,
  clock: Clock,
): { readonly exits: CollectorExits; stop: () => void } {
  const exits: CollectorExits = { count: 0, last: undefined };
  let counted: CollectorExit | undefined;
  const stop = collector.observe((event) => {
    // One that was nobody's is told again.
    if (event.t !== "exited" || event.exit === counted) return;
    counted = event.exit;
    exits.count += 1;
    const how = event.hung === undefined ? describeExit(event.exit) : `killed by us, because ${event.hung}`;
    exits.last = { at: clock.now(), how };
  });
  return { exits, stop };
}
