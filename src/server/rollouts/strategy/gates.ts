/** What is counted Agent by Agent; the share of those it is true of is the figure. */
export const shareGateNames = [
  "failed",
  "crash_looping",
  "unhealthy",
  "disconnected",
  "other_hash",
  "silent",
] as const;
export type ShareGateName = (typeof shareGateNames)[number];

/** What a Collector says of itself in figures. */
export const figureGateNames = [
  "cpu",
  "memory",
  "send_failures",
  "refused",
  "error_logs",
  "latency",
] as const;
export type FigureGateName = (typeof figureGateNames)[number];

/** Two thresholds: the first pauses, the second rolls back. Either may be absent. */
export interface Thresholds {
  readonly warning: number | undefined;
  readonly critical: number | undefined;
}

/** Thresholds are shares, 0 to 1. */
export interface ShareGate {
  readonly thresholds: Thresholds;
  /** How long a breach must last before it counts, in milliseconds. */
  readonly holdMs: number;
}

/** What a figure of the members is held against. */
export interface FigureGate {
  /**
   * By how much it may be above what it was before and above the rest of the fleet: relative for levels
   * (0.1 is ten per cent more), in points for figures that are shares themselves.
   */
  readonly increase: Thresholds;
  /** What it may be at all, in the unit of the figure. */
  readonly limit: Thresholds;
  readonly holdMs: number;
}

export const queryOperators = [">", ">=", "<", "<=", "==", "!="] as const;
export type QueryOperator = (typeof queryOperators)[number];

/** A PromQL query; breached while `result operator threshold` is true. */
export interface QueryGate {
  readonly name: string;
  readonly query: string;
  readonly operator: QueryOperator;
  readonly thresholds: Thresholds;
  readonly holdMs: number;
}

/** What a stage is judged by; a gate that is missing is off. */
export interface Gates {
  readonly shares: Readonly<Partial<Record<ShareGateName, ShareGate>>>;
  readonly figures: Readonly<Partial<Record<FigureGateName, FigureGate>>>;
  readonly queries: readonly QueryGate[];
  /** The chance, 0 to 1, with which a small sample must rule out that it is only bad luck. */
  readonly confidence: number;
}
