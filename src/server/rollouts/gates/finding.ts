import type { Thresholds } from "../strategy/gates.ts";

/** `no_evidence` is no pass; `not_applicable` is: nobody there could ever tell this figure. */
export type Level = "ok" | "warning" | "critical" | "no_evidence" | "not_applicable";

/** What one gate says at one moment, with the figures it says it on. */
export interface Finding {
  readonly gate: string;
  readonly level: Level;
  /** The figure judged, and the threshold that it is above or nearest to. */
  readonly figure?: number | undefined;
  readonly threshold?: number | undefined;
  /** How many Agents, and how many of them it is true of. */
  readonly sample?: number | undefined;
  readonly count?: number | undefined;
  /** The whole of it for people. */
  readonly text: string;
}

/** The worst threshold that `isBreached`, and what to show where none is. */
export function levelBy(
  { warning, critical }: Thresholds,
  isBreached: (threshold: number) => boolean,
): { level: "ok" | "warning" | "critical"; threshold: number | undefined } {
  if (critical !== undefined && isBreached(critical)) return { level: "critical", threshold: critical };
  if (warning !== undefined && isBreached(warning)) return { level: "warning", threshold: warning };
  return { level: "ok", threshold: warning ?? critical };
}

/** A share as people write it, to three digits. */
export function percent(share: number): string {
  return `${Number((share * 100).toPrecision(3))} %`;
}
