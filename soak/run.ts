import { randomInt } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { describeError } from "../src/foundation/errors.ts";
import { startOtlpSender } from "../test/support/otlp-sender.ts";
import { type Fault, faults } from "./faults.ts";
import { Random } from "./random.ts";
import { formatReport, type Incident } from "./report.ts";
import { type Sizes, settle, World } from "./world.ts";

const usage = `Usage: npm run soak -- [options]

A real supervisor, a real Collector and opamp-server under faults at random, while records are sent without a pause.
After each fault everything must be well again: data flows, the last good configuration runs, and what the server is
told is true. Reports how much data was taken, how long recovery took, and what grew.

Options:
  --hours H      how long (default 1)
  --minutes M    the same in minutes
  --seed N       the faults of an earlier run, in the same order
  --only NAME    only this fault; may be given several times
  --log FILE     write there what the supervisor logged
  --help         print this text and the names of the faults

`;

const recoverMs = 90_000;
/** Files that a state directory may come to; packages, snapshots and what was set aside have bounds of their own. */
const maxFiles = 120;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      hours: { type: "string" },
      minutes: { type: "string" },
      seed: { type: "string" },
      only: { type: "string", multiple: true, default: [] },
      log: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(`${usage}Faults: ${faults.map(({ name }) => name).join("; ")}\n`);
    return 0;
  }
  const minutes = numberOf("--minutes", values.minutes) ?? (numberOf("--hours", values.hours) ?? 1) * 60;
  const seed = numberOf("--seed", values.seed) ?? randomInt(1, 2 ** 31);
  const unknown = values.only.find((name) => !faults.some((fault) => fault.name === name));
  if (unknown !== undefined) throw new Error(`no fault is called "${unknown}": see --help`);
  const chosen = faults.filter(({ name }) => values.only.length === 0 || values.only.includes(name));
  await using world = await World.create();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => void world[Symbol.asyncDispose]().finally(() => process.exit(1)));
  }
  process.stdout.write(`seed ${seed}, ${minutes} minutes\n`);
  const soak = new Soak(world, possible(world, chosen), seed);
  const failure = await soak.run(minutes * 60_000);
  if (values.log !== undefined) await writeFile(values.log, world.supervisor.log());
  process.stdout.write(`\n${formatReport(soak.incidents, soak.sizes)}`);
  if (failure === undefined) return 0;
  process.stdout.write(`\nFAILED: ${failure}\n${world.supervisor.tail()}\n`);
  process.stdout.write(`again: npm run soak -- --seed ${seed} --minutes ${minutes}\n`);
  return 1;
}

/** Those that can be had here; the others are named. The order of the rest is that of the list. */
function possible(world: World, chosen: readonly Fault[]): Fault[] {
  return chosen.filter(({ name, cannot }) => {
    const reason = cannot?.(world);
    if (reason !== undefined) process.stdout.write(`without "${name}": ${reason}\n`);
    return reason === undefined;
  });
}

class Soak {
  readonly incidents: Incident[] = [];
  readonly sizes: Sizes[] = [];
  readonly #world: World;
  readonly #faults: readonly Fault[];
  readonly #seed: number;

  constructor(world: World, chosen: readonly Fault[], seed: number) {
    this.#world = world;
    this.#faults = chosen;
    this.#seed = seed;
  }

  /** Resolves to what went wrong, or undefined. */
  async run(forMs: number): Promise<string | undefined> {
    const world = this.#world;
    await world.server.start();
    await world.supervisor.start();
    const known = async () => ((await world.control.agent()) === undefined ? "no agent came" : undefined);
    const wrong = await settle(known, recoverMs);
    if (wrong !== undefined) return wrong;
    await world.push(world.pipeline("g0"), "g0", { isGood: true });
    const unwell = await settle(() => world.notRecovered(), recoverMs);
    if (unwell !== undefined) return `before any fault: ${unwell}`;
    this.sizes.push(await world.sizes());
    const end = performance.now() + forMs;
    for (let nth = 1; performance.now() < end; nth += 1) {
      const failure = await this.#suffer(nth);
      if (failure !== undefined) return failure;
    }
    return undefined;
  }

  async #suffer(nth: number): Promise<string | undefined> {
    const world = this.#world;
    const random = Random.part(this.#seed, nth);
    const fault = random.pick(this.#faults);
    const name = `#${nth} ${fault.name}`;
    world.sink.received.clear();
    const sender = startOtlpSender({ endpoint: `http://127.0.0.1:${world.ports.otlp}` });
    await sender.accepted();
    try {
      await fault.strike(world, random, nth);
    } catch (error) {
      await sender.stop();
      return `${name}: ${describeError(error)}`;
    }
    const over = performance.now();
    const unwell = await settle(() => world.notRecovered(), recoverMs);
    const recoveryMs = performance.now() - over;
    if (unwell === undefined) await sender.accepted();
    const { results, accepted, longestGapMs: gapMs } = await sender.stop();
    const counts = { sent: results.length, accepted: accepted.length };
    this.incidents.push({ nth, fault: fault.name, recoveryMs, gapMs, ...counts });
    const times = `well after ${(recoveryMs / 1_000).toFixed(1)} s, data gap ${gapMs.toFixed(0)} ms`;
    process.stdout.write(`${name}: ${unwell === undefined ? times : "NOT WELL"}\n`);
    if (unwell !== undefined) return `${name}: not well within ${recoverMs / 1_000} s: ${unwell}`;
    const probation = await settle(() => world.onProbation(), recoverMs);
    if (probation !== undefined) return `${name}: ${probation}`;
    const sizes = await world.sizes();
    this.sizes.push(sizes);
    if (sizes.stateFiles > maxFiles) return `${name}: ${sizes.stateFiles} files in the state directory`;
    const untruth = await world.untruth();
    return untruth === undefined ? undefined : `${name}: ${untruth}`;
  }
}

function numberOf(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const number = Number(text);
  if (!(number > 0)) throw new Error(`${option} must be a number above 0`);
  return number;
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`soak: ${describeError(error)}\n`);
  process.exitCode = 2;
}
