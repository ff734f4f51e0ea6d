import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isCanary } from "../../../../../src/server/rollouts/cohorts/candidate.ts";
import { parseStrategy } from "../../../../../src/server/rollouts/strategy/parse-strategy.ts";
import { readyMadeStrategies } from "../../../../../src/server/rollouts/strategy/ready-made.ts";
import { agentsThat, type Behaviour, SimulatedFleet } from "../simulated-fleet.ts";

const minute = 60_000;
const byDefault = readyMadeStrategies.get("default")!;

function strategyOf(more: object) {
  return parseStrategy({
    name: "test",
    stages: [
      { name: "first", share: "10%", dwell: "1m" },
      { name: "all", share: "100%", dwell: "1m" },
    ],
    ...more,
  });
}

describe("a rollout of something good", () => {
  it("reaches 5, 20, 50 and 100 %, each after ten minutes, and is done after the last ten", () => {
    const fleet = new SimulatedFleet(byDefault, agentsThat("applies", 100));
    const sizes: number[] = [];
    for (let stage = 0; stage < 4; stage += 1) {
      sizes.push(fleet.released.length);
      fleet.pass(10 * minute);
      expect(fleet.rollout.state).toMatchObject({ t: "running", stage });
      fleet.pass(1_000);
    }
    expect(sizes).toEqual([5, 20, 50, 100]);
    expect(fleet.rollout.state).toEqual({ t: "done" });
    expect(fleet.reach.at(-1)).toEqual({ t: "everybody" });
  });

  it("does not dwell in a stage that adds nobody", () => {
    const fleet = new SimulatedFleet(byDefault, agentsThat("applies", 3));
    fleet.pass(11 * minute);
    expect(fleet.released).toHaveLength(2);
    expect(fleet.events).toEqual([
      "stage-begun",
      "all-answered",
      "stage-passed",
      "stage-begun",
      "stage-passed",
      "stage-begun",
      "all-answered",
    ]);
  });

  it("waits for the first Agent of an empty fleet", () => {
    const fleet = new SimulatedFleet(byDefault, []);
    fleet.pass(60 * minute);
    expect(fleet.rollout.state).toMatchObject({ t: "running", stage: 0 });
    fleet.agents.push(...agentsThat("applies", 1));
    fleet.pass(5_000);
    expect(fleet.released).toEqual(["agent-0"]);
  });

  it("waits for a person where the strategy says so", () => {
    const stages = [
      { share: "10%", dwell: "1m" },
      { share: "100%", dwell: "1m", auto_advance: false },
    ];
    const fleet = new SimulatedFleet(strategyOf({ stages }), agentsThat("applies", 10));
    fleet.pass(60 * minute);
    expect(fleet.rollout.state).toEqual({ t: "running", stage: 1, phase: { t: "waiting" } });
    expect(fleet.released).toHaveLength(1);
    expect(fleet.person({ t: "promote", reason: "looks good" })).toBeUndefined();
    fleet.pass(2 * minute);
    expect(fleet.rollout.state).toEqual({ t: "done" });
  });

  it("keeps to the number that may be under way at once", () => {
    const stages = [{ share: "100%", dwell: "0s", max_under_way: 10 }];
    const fleet = new SimulatedFleet(strategyOf({ stages }), agentsThat("applies", 45));
    const seen: number[] = [];
    for (let second = 0; second < 6; second += 1) {
      seen.push(fleet.released.length);
      fleet.pass(1_000);
    }
    expect(seen).toEqual([10, 20, 30, 40, 45, 45]);
    expect(fleet.rollout.state).toEqual({ t: "done" });
  });
});

describe("a rollout of something bad", () => {
  it("is stopped at the first stage and rolled back as soon as one of three says FAILED", () => {
    const fleet = new SimulatedFleet(byDefault, agentsThat("fails", 3));
    fleet.pass(1_000);
    expect(fleet.rollout.state).toMatchObject({ t: "rolling-back", stage: 0 });
    expect(fleet.released).toHaveLength(1);
    expect(fleet.reach.at(-1)).toEqual({ t: "withdraw" });
    const [finding] = fleet.story.at(-1)!.findings;
    expect(finding).toMatchObject({
      gate: "failed",
      level: "critical",
      count: 1,
      sample: 1,
      threshold: 0.005,
    });
  });

  it("pauses instead, where the strategy says so, and goes on when a person says so", () => {
    const fleet = new SimulatedFleet(strategyOf({ on_breach: "pause" }), agentsThat("fails", 10));
    fleet.pass(1_000);
    expect(fleet.rollout.state).toMatchObject({ t: "paused", reason: expect.stringContaining("FAILED") });
    fleet.person({ t: "resume", reason: "known" });
    fleet.pass(minute);
    expect(fleet.rollout.state).toMatchObject({ t: "running", stage: 0 });
    // Nothing is known yet of how it fares where it is applied, and that is no pass.
    fleet.pass(3 * minute);
    expect(fleet.rollout.state).toMatchObject({ t: "paused", reason: expect.stringContaining("not enough") });
    fleet.person({ t: "promote", reason: "known" });
    // The one that FAILED is held against the next stage as well.
    expect(fleet.rollout.state).toMatchObject({ t: "paused", was: { stage: 1 } });
  });

  it("pauses at a warning, tolerates it once resumed, and still rolls back at worse", () => {
    // 1 of 20 FAILED is above 0.1 %, but not clearly above 0.5 %.
    const fleet = new SimulatedFleet(byDefault, agentsThat("applies", 400));
    const [one, two, three] = fleet.released;
    const become = (behaviour: Behaviour, ...ids: (string | undefined)[]) => {
      fleet.agents = fleet.agents.map((each) => (ids.includes(each.id) ? { ...each, behaviour } : each));
    };
    become("fails", one);
    fleet.pass(1_000);
    expect(fleet.rollout.state).toMatchObject({ t: "paused", reason: expect.stringContaining("1 of 20") });
    fleet.person({ t: "resume", reason: "a full disk" });
    fleet.pass(minute);
    expect(fleet.rollout.state).toMatchObject({ t: "running", stage: 0 });
    become("unhealthy", two, three);
    fleet.pass(minute);
    expect(fleet.rollout.state).toMatchObject({
      t: "rolling-back",
      reason: expect.stringContaining("unhealthy"),
    });
  });

  it.each([
    ["runs-other", "other_hash"],
    ["unhealthy", "unhealthy"],
    ["drops-out", "disconnected"],
    ["silent", "silent"],
  ] as const)("is caught when those that took it are %s", (behaviour, gate) => {
    const fleet = new SimulatedFleet(byDefault, agentsThat(behaviour, 100));
    fleet.pass(9 * minute);
    expect(fleet.rollout.state.t).toBe("rolling-back");
    expect(fleet.story.at(-1)!.findings.map((each) => each.gate)).toContain(gate);
    // Silent ones are replaced, but not one after the other through the fleet.
    expect(fleet.released.length).toBeLessThanOrEqual(10);
  });

  it("does not blame the change for what befalls the rest of the fleet as well", () => {
    const fleet = new SimulatedFleet(byDefault, agentsThat("applies", 100));
    fleet.pass(5_000);
    fleet.agents = fleet.agents.map((each) => ({ ...each, behaviour: "drops-out" as const }));
    fleet.rest = { disconnected: 0.99 };
    fleet.pass(5 * minute);
    expect(fleet.rollout.state.t).toBe("running");
  });
});

describe("silence", () => {
  it("of one host that is off neither stalls nor passes a stage", () => {
    const fleet = new SimulatedFleet(byDefault, agentsThat("applies", 20));
    const [first] = fleet.released;
    const silent = agentsThat("applies", 20, (index) =>
      `agent-${index}` === first ? { behaviour: "silent" } : {},
    );
    const stalled = new SimulatedFleet(byDefault, silent);
    stalled.pass(minute);
    expect(stalled.released).toEqual([first]);
    expect(stalled.rollout.state).toMatchObject({ phase: { t: "releasing" } });
    stalled.pass(2 * minute);
    expect(stalled.released).toHaveLength(2);
    expect(stalled.members.get(stalled.released[1]!)?.because).toBe("replacement");
    stalled.pass(11 * minute);
    expect(stalled.rollout.state).toMatchObject({ t: "running", stage: 1 });
  });

  it("of the only host there is never passes, and is told as missing evidence", () => {
    const fleet = new SimulatedFleet(byDefault, agentsThat("silent", 1));
    fleet.pass(20 * minute);
    expect(fleet.rollout.state).toMatchObject({
      t: "paused",
      reason: expect.stringContaining("not enough evidence"),
    });
  });

  it("of a query holds a stage up", () => {
    const queries = [{ name: "q", query: "x", operator: ">", critical: 1 }];
    const fleet = new SimulatedFleet(strategyOf({ gates: { queries } }), agentsThat("applies", 10));
    fleet.queries = { q: { t: "failed", reason: "connection refused" } };
    fleet.pass(2 * minute);
    expect(fleet.rollout.state).toMatchObject({ t: "running", stage: 0 });
    fleet.pass(5 * minute);
    expect(fleet.rollout.state).toMatchObject({
      t: "paused",
      reason: expect.stringContaining("query q: connection refused"),
    });
  });
});

describe("whatever the Agents do", () => {
  const behaviours = fc.constantFrom<Behaviour>("applies", "fails", "silent", "unhealthy", "drops-out");
  interface Spec {
    behaviour: Behaviour;
    delayMs: number;
    reachable: boolean;
    canary: boolean;
  }
  const agents: fc.Arbitrary<Spec[]> = fc.array(
    fc.record({
      behaviour: fc.oneof(
        { weight: 8, arbitrary: fc.constant<Behaviour>("applies") },
        { arbitrary: behaviours, weight: 1 },
      ),
      delayMs: fc.integer({ min: 0, max: 200_000 }),
      reachable: fc.oneof(
        { weight: 8, arbitrary: fc.constant(true) },
        { weight: 1, arbitrary: fc.constant(false) },
      ),
      canary: fc.oneof(
        { weight: 9, arbitrary: fc.constant(false) },
        { weight: 1, arbitrary: fc.constant(true) },
      ),
    }),
    { maxLength: 30 },
  );

  it("nobody is reached before a stage has passed, nobody leaves a stage, and it comes to an end", () => {
    const holds = (specs: readonly Spec[]) => {
      const fleet = new SimulatedFleet(
        byDefault,
        agentsThat("applies", specs.length, (index) => {
          const { canary, ...spec } = specs[index]!;
          return { ...spec, labels: canary ? { "deployment.canary": "true" } : {} };
        }),
      );
      const silent = specs.filter((each) => each.behaviour === "silent" || each.delayMs >= 120_000).length;
      const canaries = fleet.agents.filter(isCanary).length;
      const off = specs.filter((each) => !each.reachable).length;
      const mostInFirst = Math.ceil(0.05 * specs.length) + silent + canaries + off;
      let before: string[] = [];
      for (let step = 0; step < 120; step += 1) {
        fleet.pass(minute / 2, 10_000);
        const { state, begun } = fleet.rollout;
        const now = new Set(fleet.released);
        if (!before.every((id) => now.has(id))) return false;
        if (state.t === "running" && begun?.index === 0 && now.size > mostInFirst) return false;
        before = fleet.released;
      }
      const { state } = fleet.rollout;
      // Only where nobody can be reached is there nothing to come to an end by.
      if (state.t === "running") return fleet.agents.every(({ reachable }) => !reachable);
      return state.t !== "done" || fleet.released.length === fleet.agents.length;
    };
    fc.assert(
      fc.property(agents, (specs) => {
        expect(holds(specs)).toBe(true);
      }),
      { numRuns: 40 },
    );
  });
});
