import * as fc from "fast-check";
import { describe, it } from "vitest";
import { World } from "../../../support/world.ts";
import {
  type Action,
  actions,
  peacefulActions,
  perform,
  worldOptions,
} from "../../../support/world-actions.ts";

/** FUZZ_RUNS=20000 for a long run; FUZZ_SEED repeats one. */
const runs = Number(process.env.FUZZ_RUNS ?? 3_000);
const seed = process.env.FUZZ_SEED;
const parameters = { numRuns: runs, ...(seed !== undefined && { seed: Number(seed) }) };

async function live(world: World, sequence: readonly Action[]): Promise<void> {
  await world.startSupervisor();
  for (const action of sequence) await perform(world, action);
  await world.settle();
}

function report(world: World, problems: readonly string[]): void {
  if (problems.length === 0) return;
  const reason = world.status?.verdict.t === "failed" ? `, because: ${world.status.verdict.reason}` : "";
  throw new Error(`${problems.join("; ")}. The server saw: ${world.story.join(", ")}${reason}`);
}

describe("any sequence of offers, crashes and faults", () => {
  it("ends with one Collector on a configuration that was proven, or none on order, and a status that is true", {
    timeout: 20_000 + runs * 20,
  }, async () => {
    await fc.assert(
      fc.asyncProperty(worldOptions, actions, async (options, sequence) => {
        const world = new World(options);
        await live(world, sequence);
        report(world, world.problems());
      }),
      parameters,
    );
  });

  it("without faults, every offer that works is applied and every other one fails", {
    timeout: 20_000 + runs * 20,
  }, async () => {
    await fc.assert(
      fc.asyncProperty(worldOptions, peacefulActions, async (options, sequence) => {
        const world = new World(options);
        await live(world, sequence);
        report(world, [...world.problems(), ...world.strict()]);
      }),
      parameters,
    );
  });
});
