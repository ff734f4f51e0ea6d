import type { Row } from "./measurement.ts";
import type { Subject } from "./subjects.ts";

/** Middle, smallest and largest of some values. */
export interface Summary {
  median: number;
  min: number;
  max: number;
  count: number;
}

/** Undefined without values. */
export function summarize(values: readonly number[]): Summary | undefined {
  const sorted = [...values].sort((a, b) => a - b);
  const min = sorted.at(0);
  const max = sorted.at(-1);
  if (min === undefined || max === undefined) return undefined;
  const middle = (sorted.length - 1) / 2;
  const median = ((sorted[Math.floor(middle)] ?? min) + (sorted[Math.ceil(middle)] ?? min)) / 2;
  return { median, min, max, count: sorted.length };
}

/** Values by row id, then by subject's name. */
export type Results = ReadonlyMap<string, ReadonlyMap<string, readonly number[]>>;

/** `median (min–max)` a subject, then our median divided by each other subject's. */
export function formatTable(rows: readonly Row[], subjects: readonly Subject[], results: Results): string {
  const present = subjects.filter(({ name }) => rows.some(({ id }) => results.get(id)?.get(name)?.length));
  const ours = present.find(({ kind }) => kind === "ours");
  const others = ours === undefined ? [] : present.filter((subject) => subject !== ours);
  const header = ["", ...present.map(({ name }) => name), ...others.map(({ name }) => `÷ ${name}`)];
  const lines = rows.map((row) => {
    const summaries = new Map(
      present.map(({ name }) => [name, summarize(results.get(row.id)?.get(name) ?? [])] as const),
    );
    const title = row.unit === "" ? row.title : `${row.title} (${row.unit})`;
    const own = ours === undefined ? undefined : summaries.get(ours.name);
    return [
      title,
      ...present.map(({ name }) => formatSummary(summaries.get(name))),
      ...others.map(({ name }) => formatRatio(own, summaries.get(name))),
    ];
  });
  return align([header, ...lines]);
}

function formatSummary(summary: Summary | undefined): string {
  if (summary === undefined) return "–";
  if (summary.min === summary.max) return formatNumber(summary.median);
  return `${formatNumber(summary.median)} (${formatNumber(summary.min)}–${formatNumber(summary.max)})`;
}

function formatRatio(own: Summary | undefined, other: Summary | undefined): string {
  if (own === undefined || other === undefined || other.median === 0) return "–";
  if (!Number.isFinite(own.median) || !Number.isFinite(other.median)) return "–";
  const ratio = own.median / other.median;
  return ratio < 0.1 ? ratio.toFixed(3) : ratio.toFixed(2);
}

/** Infinity is what did not happen within the time that was given. */
function formatNumber(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return "never";
  if (value >= 100 || Number.isInteger(value)) return value.toFixed(0);
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

function align(lines: readonly (readonly string[])[]): string {
  const widths = (lines[0] ?? []).map((_, column) =>
    Math.max(...lines.map((line) => line[column]?.length ?? 0)),
  );
  return lines
    .map((line) =>
      line
        .map((cell, column) =>
          column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
        )
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
