import type { Sizes } from "./world.ts";

/** One fault and what came of it. Milliseconds. */
export interface Incident {
  nth: number;
  fault: string;
  /** From the end of the fault until everything was well. */
  recoveryMs: number;
  /** Longest time without an accepted record, from before the fault until after the recovery. */
  gapMs: number;
  sent: number;
  accepted: number;
}

/** Everything that a run found out, for people. */
export function formatReport(incidents: readonly Incident[], sizes: readonly Sizes[]): string {
  const names = [...new Set(incidents.map(({ fault }) => fault))].toSorted();
  const rows = names.map((name) => {
    const of = incidents.filter(({ fault }) => fault === name);
    const recovery = of.map(({ recoveryMs }) => recoveryMs);
    const gaps = of.map(({ gapMs }) => gapMs);
    return [
      name,
      String(of.length),
      seconds(median(recovery)),
      seconds(Math.max(...recovery)),
      seconds(median(gaps)),
      seconds(Math.max(...gaps)),
      percent(of),
    ];
  });
  const head = ["fault", "times", "recovery", "longest", "data gap", "longest", "accepted"];
  return [
    ...table([head, ...rows, ["all", String(incidents.length), "", "", "", "", percent(incidents)]]),
    "",
    ...(sizes.length > 0 ? table([["", "first", "last", "most"], ...growth(sizes)]) : []),
    "",
  ].join("\n");
}

function growth(sizes: readonly Sizes[]): string[][] {
  const rows: [string, keyof Sizes, number][] = [
    ["RSS of the supervisor, MiB", "supervisorRss", 1],
    ["RSS of the Collector, MiB", "collectorRss", 1],
    ["RSS of the server, MiB", "serverRss", 1],
    ["state directory, KiB", "stateBytes", 1024],
    ["files in it", "stateFiles", 1],
    ["lines the supervisor logged", "logLines", 1],
  ];
  return rows.map(([title, key, unit]) => {
    const values = sizes.map((each) => each[key] / unit);
    return [title, values.at(0), values.at(-1), Math.max(...values)].map((value) =>
      typeof value === "number" ? value.toFixed(0) : (value ?? ""),
    );
  });
}

function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_cell, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0)))
      .join("  "),
  );
}

function percent(incidents: readonly Incident[]): string {
  const sum = (key: "sent" | "accepted") => incidents.reduce((total, each) => total + each[key], 0);
  return `${((sum("accepted") / Math.max(1, sum("sent"))) * 100).toFixed(2)} %`;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

const seconds = (ms: number) => `${(ms / 1_000).toFixed(2)} s`;
