import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { describeError } from "../../src/foundation/errors.ts";
import { type Footprint, measureEmptyNode, measureSupervisor, type NodeCommand } from "./measure.ts";

const usage = `Usage: npm run footprint -- [options]

Measures CPU time to start and idle memory of the supervisor and of an empty Node with the same flags, by turns,
and fails when the ratio of the two has grown by more than a tenth over bench/footprint/ratios.json.

Options:
  --rounds N  how often each is measured (default 7); medians count
  --record    writes the ratios of this run to ratios.json, as a deliberate change wants it
  --help      print this text

`;

const recordPath = join(import.meta.dirname, "ratios.json");
const allowedGrowth = 1.1;
/** A busy moment is no regression: only what is measured twice counts. */
const attempts = 2;
const kinds = ["cpu", "rss", "anonymous"] as const;
const titles = { cpu: "CPU time until it works, ms", rss: "RSS, MiB", anonymous: "anonymous memory, MiB" };

type Ratios = Record<(typeof kinds)[number], number>;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      rounds: { type: "string", default: "7" },
      record: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(usage);
    return 0;
  }
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error("--rounds must be a whole number above 0");
  // Not counted: the first start of all reads everything from the disk.
  const { command } = await measureSupervisor();
  if (values.record) {
    const ratios = await measureRatios(command, rounds);
    await writeFile(recordPath, `${JSON.stringify(ratios, undefined, 2)}\n`);
    return 0;
  }
  const recorded = JSON.parse(await readFile(recordPath, "utf8")) as Ratios;
  for (let attempt = 1; ; attempt += 1) {
    const ratios = await measureRatios(command, rounds);
    const grown = kinds.filter((kind) => ratios[kind] > recorded[kind] * allowedGrowth);
    if (grown.length === 0) return 0;
    for (const kind of grown) {
      const words = `${titles[kind]}: ${ratios[kind]} times an empty Node, recorded is ${recorded[kind]}`;
      process.stdout.write(`grown by more than a tenth: ${words}\n`);
    }
    if (attempt === attempts) return 1;
  }
}

async function measureRatios(command: NodeCommand, rounds: number): Promise<Ratios> {
  const ours: Footprint[] = [];
  const empty: Footprint[] = [];
  for (let round = 0; round < rounds; round += 1) {
    ours.push((await measureSupervisor()).footprint);
    empty.push(await measureEmptyNode(command));
  }
  const ratios = {} as Ratios;
  for (const kind of kinds) {
    const [a, b] = [median(ours, kind), median(empty, kind)];
    ratios[kind] = Math.round((a / b) * 1_000) / 1_000;
    process.stdout.write(`${titles[kind]}: ${a.toFixed(1)} / ${b.toFixed(1)} = ${ratios[kind]}\n`);
  }
  return ratios;
}

function median(footprints: readonly Footprint[], kind: keyof Footprint): number {
  const sorted = footprints.map((footprint) => footprint[kind]).toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`footprint: ${describeError(error)}\n`);
  process.exitCode = 2;
}
