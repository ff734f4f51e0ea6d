import type { FigureGateName } from "../strategy/gates.ts";
import { median } from "./statistics.ts";

/** How many of all items went wrong in the time looked at. */
export interface Portion {
  readonly bad: number;
  readonly all: number;
}

/** How a Collector fares over some time, in figures that can be compared. What is not known is undefined. */
export interface Rates {
  /** Cores. */
  readonly cpu?: number | undefined;
  /** Resident bytes. */
  readonly memory?: number | undefined;
  /** Lines a minute. */
  readonly error_logs?: number | undefined;
  /** Milliseconds an answered request of an exporter took, on average. */
  readonly latency?: number | undefined;
  /** Items that exporters lost, of those they were given. */
  readonly send_failures?: Portion | undefined;
  /** Items that receivers did not take, of those they were given. */
  readonly refused?: Portion | undefined;
}

const levelNames = ["cpu", "memory", "error_logs", "latency"] as const satisfies FigureGateName[];
const portionNames = ["send_failures", "refused"] as const satisfies FigureGateName[];
export type LevelName = (typeof levelNames)[number];
export type PortionName = (typeof portionNames)[number];

export function isPortion(name: FigureGateName): name is PortionName {
  return portionNames.some((each) => each === name);
}

/** Several Collectors as one: the median of levels, and items counted together. */
export function together(rates: readonly Rates[]): Rates {
  const levels = levelNames.map((name) => [name, median(rates.flatMap((each) => each[name] ?? []))]);
  const portions = portionNames.map((name) => [name, pooled(rates.flatMap((each) => each[name] ?? []))]);
  return Object.fromEntries([...levels, ...portions]) as Rates;
}

/** Undefined of nothing at all: no item, no share. */
export function pooled(portions: readonly Portion[]): Portion | undefined {
  const all = portions.reduce((sum, each) => sum + each.all, 0);
  return all === 0 ? undefined : { bad: portions.reduce((sum, each) => sum + each.bad, 0), all };
}

export function shareOf({ bad, all }: Portion): number {
  return bad / all;
}
