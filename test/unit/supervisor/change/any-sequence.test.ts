import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { World, type WorldOptions } from "../../../support/world.ts";
import {
  type Action,
  actions,
  actionsWithPackages,
  peacefulActions,
  peacefulPackageActions,
  perform,
  worldOptions,
  worldOptionsWithPackages,
} from "../../../support/world-actions.ts";
import { unfulfilledPackagesOf } from "../../../support/world-package-problems.ts";
import { problemsOf, unfulfilledOf } from "../../../support/world-problems.ts";

/** FUZZ_RUNS=20000 for a long run with another seed each time; FUZZ_SEED repeats one. */
const runs = Number(process.env.FUZZ_RUNS ?? 3_000);
// The short run is the same every time, so that it fails only for what was changed.
const seed = process.env.FUZZ_SEED ?? (process.env.FUZZ_RUNS === undefined ? "1" : undefined);
const parameters = { numRuns: runs, ...(seed !== undefined && { seed: Number(seed) }) };
// As many again would take twice as long.
const packageRuns = Number(process.env.FUZZ_RUNS ?? 1_000);
const packageParameters = { ...parameters, numRuns: packageRuns };

async function live(options: WorldOptions, sequence: readonly Action[]): Promise<World> {
  const world = new World(options);
  await world.startSupervisor();
  for (const action of sequence) await perform(world, action);
  await world.settle();
  return world;
}

/** What is wrong, and what the server saw; empty when nothing is wrong. */
function report(world: World, problems: readonly string[]): string {
  if (problems.length === 0) return "";
  const reason = world.status?.verdict.t === "failed" ? `, because: ${world.status.verdict.reason}` : "";
  return `${problems.join("; ")}. The server saw: ${world.story.join(", ")}${reason}`;
}

describe("any sequence of offers, crashes and faults", () => {
  it("ends with one Collector on a configuration that was proven, or none on order, and a status that is true", {
    timeout: 20_000 + runs * 20,
  }, async () => {
    await fc.assert(
      fc.asyncProperty(worldOptions, actions, async (options, sequence) => {
        const world = await live(options, sequence);
        expect(report(world, problemsOf(world))).toBe("");
      }),
      parameters,
    );
  });

  it("without faults, every offer that works is applied and every other one fails", {
    timeout: 20_000 + runs * 20,
  }, async () => {
    await fc.assert(
      fc.asyncProperty(worldOptions, peacefulActions, async (options, sequence) => {
        const world = await live(options, sequence);
        expect(report(world, [...problemsOf(world), ...unfulfilledOf(world)])).toBe("");
      }),
      parameters,
    );
  });

  it("with packages ends with one Collector on a configuration and packages that were proven together", {
    timeout: 20_000 + packageRuns * 40,
  }, async () => {
    await fc.assert(
      fc.asyncProperty(worldOptionsWithPackages, actionsWithPackages, async (options, sequence) => {
        const world = await live(options, sequence);
        expect(report(world, problemsOf(world))).toBe("");
      }),
      packageParameters,
    );
  });

  it("without faults, packages that what runs can do with are installed", {
    timeout: 20_000 + packageRuns * 40,
  }, async () => {
    await fc.assert(
      fc.asyncProperty(worldOptionsWithPackages, peacefulPackageActions, async (options, sequence) => {
        const world = await live(options, sequence);
        expect(report(world, [...problemsOf(world), ...unfulfilledPackagesOf(world)])).toBe("");
      }),
      packageParameters,
    );
  });
});
