import { percent } from "../gates/finding.ts";
import { isAbove } from "../gates/statistics.ts";
import type { Gates } from "../strategy/gates.ts";
import type { RolloutEvent } from "./transition.ts";

/** How far an Agent that took a change is on its way back. */
export type Return =
  /** It runs, by hash, what it is to have now. */
  | { readonly t: "back" }
  | { readonly t: "under-way" }
  /** It cannot be reached, and is offered it when it comes back. */
  | { readonly t: "away" }
  /** There is nothing below for it: it keeps what it has. */
  | { readonly t: "nothing-below" }
  /** It was offered it and has not answered in time. */
  | { readonly t: "silent" }
  | { readonly t: "failed"; readonly reason: string };

/** The returns of all that took it, by instance UID. */
export type Returns = ReadonlyMap<string, Return>;

export interface RollbackProgress {
  readonly event: { readonly what: RolloutEvent; readonly text: string } | undefined;
  readonly counts: Readonly<Record<Return["t"], number>>;
}

/**
 * Whether a rollback has come to its end: everybody that can be reached is back, or what they had before
 * fails as well, in which case it goes no further down by itself.
 */
export function rollbackProgress(returns: Returns, { shares, confidence }: Gates): RollbackProgress {
  const counts = { back: 0, "under-way": 0, away: 0, "nothing-below": 0, silent: 0, failed: 0 };
  for (const { t } of returns.values()) counts[t] += 1;
  const answered = counts.back + counts.failed;
  const threshold = shares.failed?.thresholds.critical ?? failedThreshold;
  if (isAbove(counts.failed, answered, threshold, confidence)) {
    const reason = `what they had before fails as well: ${counts.failed} of ${answered} FAILED (${percent(counts.failed / answered)})`;
    return { event: { what: { t: "rollback-failed", reason }, text: reason }, counts };
  }
  if (counts["under-way"] > 0) return { event: undefined, counts };
  const parts = [
    `${counts.back} of ${returns.size} agents are back`,
    ...(counts.away > 0 ? [`${counts.away} are not connected and follow when they are`] : []),
    ...(counts.silent > 0 ? [`${counts.silent} do not answer`] : []),
    ...(counts.failed > 0 ? [`${counts.failed} FAILED`] : []),
    ...(counts["nothing-below"] > 0 ? [`${counts["nothing-below"]} had nothing before and keep it`] : []),
  ];
  return { event: { what: { t: "rollback-verified" }, text: parts.join(", ") }, counts };
}

/** Also where a strategy has switched its gates off. */
const failedThreshold = 0.005;
