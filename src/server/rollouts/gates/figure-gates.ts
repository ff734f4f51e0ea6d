import { type FigureGate, type FigureGateName, figureGateNames } from "../strategy/gates.ts";
import type { Evidence, MemberFacts } from "./evidence.ts";
import { type Finding, levelBy, percent } from "./finding.ts";
import { isPortion, type LevelName, type PortionName, pooled, shareOf } from "./rates.ts";
import type { JudgingContext } from "./share-gates.ts";
import { increaseThreshold, median } from "./statistics.ts";

/**
 * An increase of less than this is noise, whatever it is in per cent: cores, bytes, lines a minute, milliseconds.
 */
const noise: Readonly<Record<LevelName, number>> = {
  cpu: 0.02,
  memory: 16 * 1024 * 1024,
  error_logs: 2,
  latency: 20,
};

const units: Readonly<Record<LevelName, (value: number) => string>> = {
  cpu: (value) => `${short(value)} cores`,
  memory: (value) => `${short(value / 1024 / 1024)} MiB`,
  error_logs: (value) => `${short(value)} lines a minute`,
  latency: (value) => `${short(value)} ms`,
};

/** What the gates on the Collectors' own figures say. */
export function judgeFigures(evidence: Evidence, context: JudgingContext): Finding[] {
  const applied = evidence.members.filter(({ answer }) => answer.t === "applied");
  return figureGateNames.flatMap((name) => {
    const gate = context.gates.figures[name];
    if (gate === undefined) return [];
    return [
      withoutFigures(name, applied) ??
        (isPortion(name)
          ? judgePortion(name, gate, applied, evidence)
          : judgeLevel(name, gate, applied, evidence)),
    ];
  });
}

/** Agents of others tell no figures, and a stage of those only is not held up for them. */
function withoutFigures(gate: FigureGateName, applied: readonly MemberFacts[]): Finding | undefined {
  if (applied.length === 0) return { gate, level: "no_evidence", text: `${gate}: no agent applied it yet` };
  if (!applied.some(({ tellsFigures }) => tellsFigures)) {
    return { gate, level: "not_applicable", text: `${gate}: these agents tell no figures` };
  }
  if (applied.some(({ rates }) => rates !== undefined)) return undefined;
  return { gate, level: "no_evidence", text: `${gate}: no figures since it was applied` };
}

/** Shares of items: all members' items together, against what it was and what it is elsewhere, in points. */
function judgePortion(
  gate: PortionName,
  { increase, limit }: FigureGate,
  applied: readonly MemberFacts[],
  { rest }: Evidence,
): Finding {
  const now = pooled(applied.flatMap(({ rates }) => rates?.[gate] ?? []));
  if (now === undefined) return { gate, level: "ok", sample: 0, text: `${gate}: no items in this time` };
  const sample = applied.filter(({ rates }) => (rates?.[gate]?.all ?? 0) > 0).length;
  const before = pooled(applied.flatMap(({ ratesBefore }) => ratesBefore?.[gate] ?? []));
  const elsewhere = rest?.rates[gate];
  const usual = Math.max(before ? shareOf(before) : 0, elsewhere ? shareOf(elsewhere) : 0);
  const figure = shareOf(now);
  const worst = worse(
    levelBy(limit, (each) => figure > each),
    levelBy(increase, (each) => figure - usual > increaseThreshold(each, sample)),
  );
  const text =
    `${gate}: ${percent(figure)} of the items of ${sample} agents` +
    ` (before ${before ? percent(shareOf(before)) : "unknown"}, rest ${elsewhere ? percent(shareOf(elsewhere)) : "unknown"})`;
  return { gate, ...worst, figure, sample, text };
}

/** Levels: the median of every member's own change, less what the rest changed in the same time. */
function judgeLevel(
  gate: LevelName,
  { increase, limit }: FigureGate,
  applied: readonly MemberFacts[],
  { rest, restBefore }: Evidence,
): Finding {
  const values = applied.flatMap(({ rates }) => rates?.[gate] ?? []);
  const figure = median(values);
  if (figure === undefined) return { gate, level: "not_applicable", text: `${gate}: is told by nobody` };
  const overLimit = levelBy(limit, (each) => figure > each);
  const pairs = applied.flatMap(({ rates, ratesBefore }) => {
    const [now, before] = [rates?.[gate], ratesBefore?.[gate]];
    return now === undefined || before === undefined ? [] : [{ now, before }];
  });
  const text = `${gate}: ${units[gate](figure)}, median of ${values.length} agents`;
  if (pairs.length === 0) {
    return { gate, ...overLimit, figure, sample: values.length, text: `${text} (before unknown)` };
  }
  const elsewhere = changeOf(restBefore?.rates[gate], rest?.rates[gate], noise[gate]) ?? 1;
  const changes = pairs.map(({ now, before }) => {
    const expected = before * elsewhere;
    return now - expected < noise[gate] ? 0 : now / Math.max(expected, noise[gate]) - 1;
  });
  const change = median(changes) ?? 0;
  const increased = levelBy(increase, (each) => change > increaseThreshold(each, pairs.length));
  return {
    gate,
    ...worse(overLimit, increased),
    figure: change,
    sample: pairs.length,
    text: `${text}: ${change === 0 ? "no more" : `${percent(change)} more`} than before and elsewhere`,
  };
}

/** By what factor the rest changed; it is never held against the members that the rest needs less now. */
function changeOf(before: number | undefined, now: number | undefined, floor: number): number | undefined {
  if (before === undefined || now === undefined) return undefined;
  return Math.max(1, now / Math.max(before, floor));
}

type Judged = ReturnType<typeof levelBy>;

function worse(a: Judged, b: Judged): Judged {
  const rank = { ok: 0, warning: 1, critical: 2 };
  if (rank[a.level] !== rank[b.level]) return rank[a.level] > rank[b.level] ? a : b;
  return b.threshold === undefined ? a : b;
}

function short(value: number): string {
  return String(Number(value.toPrecision(3)));
}
