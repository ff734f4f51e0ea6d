import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { cpus, release } from "node:os";
import { parseArgs } from "node:util";
import { describeError } from "../src/foundation/errors.ts";
import { collectorBinary } from "../test/support/collector.ts";
import type { Measurement } from "./measurement.ts";
import { allMeasurements } from "./measurements/all.ts";
import { allSubjects, type Subject } from "./subjects.ts";
import { formatTable, type Results, summarize } from "./table.ts";

const usage = `Usage: npm run bench -- [options]

Runs this supervisor and the Go reference by turns, with the same Collector and the same OpAMP server.

Options:
  --rounds N      how often each measurement runs (default 3; a round of everything takes about six minutes)
  --only NAME     only this measurement; may be given several times
  --subject KIND  only this subject; may be given several times
  --json FILE     also write all values there
  --help          print this text

`;

interface Options {
  rounds: number;
  /** Names of measurements; empty for all. */
  only: string[];
  /** Kinds of subject; empty for all. */
  subjects: string[];
  json: string | undefined;
}

/** Undefined when asked for help. */
function readOptions(): Options | undefined {
  const { values } = parseArgs({
    options: {
      rounds: { type: "string", default: "3" },
      only: { type: "string", multiple: true, default: [] },
      subject: { type: "string", multiple: true, default: [] },
      json: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return undefined;
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error("--rounds must be a whole number above 0");
  return { rounds, only: values.only, subjects: values.subject, json: values.json };
}

function choose<T>(
  what: string,
  all: readonly T[],
  nameOf: (item: T) => string,
  wanted: readonly string[],
): T[] {
  for (const name of wanted) {
    if (all.some((item) => nameOf(item) === name)) continue;
    throw new Error(`no ${what} is called ${name}; there are ${all.map(nameOf).join(", ")}`);
  }
  return all.filter((item) => wanted.length === 0 || wanted.includes(nameOf(item)));
}

/** Subjects take turns within each measurement, so that a busy minute of the machine hits all of them. */
async function measure(
  measurements: readonly Measurement[],
  subjects: readonly Subject[],
  rounds: number,
): Promise<{ results: Results; failures: string[] }> {
  const results = new Map<string, Map<string, number[]>>();
  const failures: string[] = [];
  for (let round = 1; round <= rounds; round += 1) {
    for (const measurement of measurements) {
      for (const subject of subjects.filter(({ kind }) => measurement.subjects.has(kind))) {
        const title = `round ${round}/${rounds}  ${measurement.name}  ${subject.name}`;
        try {
          const samples = await measurement.run(subject);
          for (const [row, values] of Object.entries(samples)) {
            const ofRow = results.get(row) ?? new Map<string, number[]>();
            results.set(row, ofRow.set(subject.name, [...(ofRow.get(subject.name) ?? []), ...values]));
          }
          console.error(`${title}  ${JSON.stringify(samples, rounded)}`);
        } catch (error) {
          failures.push(`${title}: ${describeError(error)}`);
          console.error(failures.at(-1));
        }
      }
    }
  }
  return { results, failures };
}

function rounded(key: string, value: unknown): unknown {
  return typeof value === "number" && Number.isFinite(value)
    ? Math.round(value * 10) / 10
    : spelled(key, value);
}

/** JSON has no Infinity. */
function spelled(_key: string, value: unknown): unknown {
  return value === Number.POSITIVE_INFINITY ? "never" : value;
}

function machine(): Record<string, unknown> {
  return {
    kernel: release(),
    cpu: cpus()[0]?.model,
    cores: cpus().length,
    node: process.version,
    collector: execFileSync(collectorBinary(), ["--version"], { encoding: "utf8" }).trim(),
  };
}

async function main(): Promise<void> {
  const options = readOptions();
  if (options === undefined) {
    const names = allMeasurements().map(
      ({ name, rows }) => `  ${name.padEnd(18)} ${rows.map(({ title }) => title).join("; ")}`,
    );
    console.log(`${usage}Measurements:\n${names.join("\n")}`);
    return;
  }
  const measurements = choose("measurement", allMeasurements(), ({ name }) => name, options.only);
  const chosen = choose("subject", await allSubjects(), ({ kind }) => kind, options.subjects);
  const subjects = chosen.filter(({ executable }) => existsSync(executable));
  const { results, failures } = await measure(measurements, subjects, options.rounds);
  const rows = measurements.flatMap((measurement) => measurement.rows);
  const about = machine();
  console.log(
    Object.entries(about)
      .map(([key, value]) => `${key}: ${String(value)}`)
      .join("\n"),
  );
  console.log(`median (min–max) of ${options.rounds} rounds; ÷ is ours divided by theirs\n`);
  console.log(formatTable(rows, subjects, results));
  for (const { executable, name } of chosen) {
    if (!existsSync(executable)) failures.push(`${name} was not measured: ${executable} does not exist`);
  }
  for (const failure of failures) console.log(`FAILED  ${failure}`);
  if (options.json !== undefined) {
    const table = rows.map((row) => ({
      ...row,
      subjects: subjects.flatMap(({ name }) => {
        const values = results.get(row.id)?.get(name) ?? [];
        const summary = summarize(values);
        return summary === undefined ? [] : [{ name, ...summary, values }];
      }),
    }));
    await writeFile(
      options.json,
      `${JSON.stringify({ machine: about, rows: table, failures }, spelled, 2)}\n`,
    );
  }
  process.exitCode = failures.length === 0 ? 0 : 1;
}

await main();
