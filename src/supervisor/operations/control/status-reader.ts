import { countExits } from "./collector-exits.ts";
import { describeStatus, type StatusSources } from "./status.ts";
import type { StatusView } from "./status-view.ts";

/** Knows the status of this supervisor, which counts as started from now on. */
export function readStatus(sources: Omit<StatusSources, "startedAt" | "exits">): {
  status: () => Promise<StatusView>;
  stop: () => void;
} {
  const { collector, clock } = sources;
  const { exits, stop } = countExits(collector, clock);
  const startedAt = clock.monotonic();
  return { status: () => describeStatus({ ...sources, exits, startedAt }), stop };
}
