import type { Gates } from "../strategy/gates.ts";
import type { Evidence } from "./evidence.ts";
import { judgeFigures } from "./figure-gates.ts";
import type { Finding } from "./finding.ts";
import { judgeQuery } from "./query-gates.ts";
import { type JudgingContext, judgeShares } from "./share-gates.ts";

/** Since when each gate is breached, by `GATE/LEVEL`, in Unix milliseconds. Kept with the rollout. */
export type BreachedSince = Readonly<Record<string, number>>;

/** What all gates of a stage say together. */
export interface Verdict {
  /** `breach`: a finding has held long enough to act on; the worst one is named. */
  readonly t: "pass" | "wait" | "warning" | "critical";
  /** What `t` is about; empty for a pass. */
  readonly because: readonly Finding[];
  readonly findings: readonly Finding[];
  readonly breachedSince: BreachedSince;
}

/** Judges a stage by all its gates, and by how long what they say has been so. */
export function judge(evidence: Evidence, context: JudgingContext, before: BreachedSince): Verdict {
  const { gates, now } = context;
  const findings = [
    ...judgeShares(evidence, context),
    ...judgeFigures(evidence, context),
    ...gates.queries.map((gate) => judgeQuery(gate, evidence.queries[gate.name], now)),
  ];
  const breachedSince: Record<string, number> = {};
  for (const { gate, level } of findings) {
    // What is critical is above the warning as well.
    if (level === "critical" || level === "warning") {
      breachedSince[`${gate}/warning`] = before[`${gate}/warning`] ?? now;
    }
    if (level === "critical") breachedSince[`${gate}/critical`] = before[`${gate}/critical`] ?? now;
  }
  const held = (finding: Finding, level: "warning" | "critical") =>
    now - (breachedSince[`${finding.gate}/${level}`] ?? Number.POSITIVE_INFINITY) >= holdOf(finding, gates);
  const rest = { findings, breachedSince };
  const critical = findings.filter((each) => each.level === "critical" && held(each, "critical"));
  if (critical.length > 0) return { t: "critical", because: critical, ...rest };
  const breached = findings.filter(({ level }) => level === "warning" || level === "critical");
  const warning = breached.filter((each) => held(each, "warning"));
  if (warning.length > 0) return { t: "warning", because: warning, ...rest };
  const open = findings.filter(({ level }) => level === "no_evidence");
  if (breached.length + open.length > 0) return { t: "wait", because: [...breached, ...open], ...rest };
  return { t: "pass", because: [], ...rest };
}

function holdOf({ gate }: Finding, { shares, figures, queries }: Gates): number {
  const known: Readonly<Record<string, { holdMs: number } | undefined>> = { ...shares, ...figures };
  const query = queries.find(({ name }) => `query ${name}` === gate);
  return (query ?? known[gate])?.holdMs ?? 0;
}
