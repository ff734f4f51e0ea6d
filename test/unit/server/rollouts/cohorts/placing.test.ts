import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { everyAgent, parseSelector } from "../../../../../src/opamp/selector.ts";
import type { Candidate } from "../../../../../src/server/rollouts/cohorts/candidate.ts";
import { inOrder, placeOf } from "../../../../../src/server/rollouts/cohorts/order.ts";
import { placeInStage } from "../../../../../src/server/rollouts/cohorts/placing.ts";
import { readyMadeStrategies } from "../../../../../src/server/rollouts/strategy/ready-made.ts";
import type { Stage } from "../../../../../src/server/rollouts/strategy/strategy.ts";

const [template] = readyMadeStrategies.get("default")!.stages;

function stageOf(share: number, selector = ""): Stage {
  return {
    ...template!,
    size: { t: "share", share },
    selector: selector === "" ? everyAgent : parseSelector(selector),
  };
}

function agent(id: string, more: Partial<Candidate> = {}): Candidate {
  return { id, labels: {}, state: { capabilities: 0n }, reachable: true, blocked: undefined, ...more };
}

function fleetOf(count: number, more: Partial<Candidate> = {}): Candidate[] {
  return Array.from({ length: count }, (_, index) => agent(`agent-${index}`, more));
}

interface Options {
  rolloutId?: string;
  members?: ReadonlySet<string>;
  silent?: ReadonlySet<string>;
  stageIndex?: number;
  wantedAtBegin?: number;
}

function place(agents: readonly Candidate[], stage: Stage, options: Options = {}) {
  const { rolloutId = "r", members = new Set(), silent = new Set(), stageIndex = 0 } = options;
  return placeInStage(agents, {
    rolloutId,
    stageIndex,
    stage,
    isMember: (id) => members.has(id),
    isSilent: (id) => silent.has(id),
    wantedAtBegin: options.wantedAtBegin,
  });
}

const idsOf = ({ added }: ReturnType<typeof place>) => added.map((each) => each.agent.id);

const candidates = fc.uniqueArray(
  fc.record({
    id: fc.uuid(),
    state: fc.constant({ capabilities: 0n }),
    labels: fc.record({ "deployment.canary": fc.constantFrom("true", "false") }, { requiredKeys: [] }),
    reachable: fc.boolean(),
    blocked: fc.option(fc.constant("no"), { nil: undefined, freq: 5 }),
  }),
  { selector: ({ id }) => id, minLength: 1, maxLength: 60 },
) as fc.Arbitrary<Candidate[]>;
const shares = fc.double({ min: 0.01, max: 1, noNaN: true });

describe("the order in which a rollout reaches Agents", () => {
  it("is the same whoever computes it, and another in another rollout", () => {
    const fleet = fleetOf(50);
    const ids = (rollout: string) => inOrder(rollout, fleet).map(({ id }) => id);
    expect(ids("one")).toEqual(inOrder("one", fleet.toReversed()).map(({ id }) => id));
    expect(ids("one")).not.toEqual(ids("two"));
  });

  it("spreads places evenly", () => {
    const first = fleetOf(10_000).filter(({ id }) => placeOf("r", id) < 0.05).length;
    expect(first).toBeGreaterThan(400);
    expect(first).toBeLessThan(600);
  });

  it("does not change between those who stay when others come and go", () => {
    fc.assert(
      fc.property(candidates, fc.array(fc.boolean(), { minLength: 60, maxLength: 60 }), (agents, stays) => {
        const staying = agents.filter((_, index) => stays[index]);
        const before = inOrder("r", agents).filter((each) => staying.includes(each));
        expect(inOrder("r", staying)).toEqual(before);
      }),
    );
  });
});

describe("filling a stage", () => {
  it("never leaves it empty in a small fleet", () => {
    expect(idsOf(place(fleetOf(3), stageOf(0.05)))).toHaveLength(1);
    expect(idsOf(place(fleetOf(3), stageOf(0.5)))).toHaveLength(2);
    expect(idsOf(place(fleetOf(400), stageOf(0.05)))).toHaveLength(20);
  });

  it("takes who is in a smaller share into every larger one", () => {
    fc.assert(
      fc.property(candidates, shares, shares, (agents, a, b) => {
        const smaller = idsOf(place(agents, stageOf(Math.min(a, b))));
        const larger = idsOf(place(agents, stageOf(Math.max(a, b))));
        expect(larger).toEqual(expect.arrayContaining(smaller));
      }),
    );
  });

  it("has its share of those that can be reached, or more only by canaries and members", () => {
    fc.assert(
      fc.property(candidates, shares, (agents, share) => {
        const { added, wanted, eligible } = place(agents, stageOf(share));
        const filled = added.filter((each) => each.agent.reachable);
        const canaries = filled.filter(({ because }) => because === "canary").length;
        expect(wanted).toBe(Math.max(0, Math.ceil(share * eligible - 1e-9)));
        expect(filled.length).toBe(Math.max(wanted, canaries));
        expect(added.every((each) => each.agent.blocked === undefined)).toBe(true);
      }),
    );
  });

  it("adds nobody twice, and at 100 % leaves nobody out but those that are blocked", () => {
    fc.assert(
      fc.property(candidates, shares, (agents, share) => {
        const members = new Set(idsOf(place(agents, stageOf(share))));
        const rest = idsOf(place(agents, stageOf(1), { members, stageIndex: 1 }));
        expect(rest.filter((id) => members.has(id))).toEqual([]);
        const everybody = agents.filter(({ blocked }) => blocked === undefined).map(({ id }) => id);
        expect([...members, ...rest].sort()).toEqual(everybody.sort());
      }),
    );
  });

  it("puts hosts with the canary label into the first stage, whatever it selects", () => {
    const fleet = [...fleetOf(20), agent("canary", { labels: { "deployment.canary": "true" } })];
    const first = place(fleet, stageOf(0.05, "env=staging"));
    expect(first.added).toEqual([{ agent: fleet.at(-1), because: "canary" }]);
    expect(idsOf(place(fleet, stageOf(0.5), { stageIndex: 1 }))).toHaveLength(11);
  });

  it("counts the share of those its own selector picks", () => {
    const fleet = [
      ...fleetOf(40, { labels: { env: "prod" } }),
      ...["a", "b", "c", "d"].map((id) => agent(id, { labels: { env: "staging" } })),
    ];
    const ids = idsOf(place(fleet, stageOf(0.5, "env=staging")));
    expect(ids).toHaveLength(2);
    expect(["a", "b", "c", "d"]).toEqual(expect.arrayContaining(ids));
  });

  it("takes hosts that are off along without counting them", () => {
    const fleet = fleetOf(20).map((each, index) => ({ ...each, reachable: index % 2 === 0 }));
    const { added, wanted } = place(fleet, stageOf(0.2));
    expect(wanted).toBe(2);
    expect(added.filter((each) => each.agent.reachable)).toHaveLength(2);
  });

  it("replaces a silent member by the next one, and only then", () => {
    const fleet = fleetOf(40);
    const members = new Set(idsOf(place(fleet, stageOf(0.05))));
    const [silent] = members;
    const begun = { members, wantedAtBegin: 2 };
    expect(idsOf(place(fleet, stageOf(0.05), begun))).toEqual([]);
    const { added } = place(fleet, stageOf(0.05), { ...begun, silent: new Set([silent!]) });
    expect(added).toHaveLength(1);
    expect(added[0]).toMatchObject({ because: "replacement" });
  });

  it("lets late joiners wait for a later stage, and takes them at once into the last", () => {
    const fleet = fleetOf(40);
    const members = new Set(idsOf(place(fleet, stageOf(0.05))));
    const grown = [...fleet, ...Array.from({ length: 100 }, (_, index) => agent(`late-${index}`))];
    expect(idsOf(place(grown, stageOf(0.05), { members, wantedAtBegin: 2 }))).toEqual([]);
    const all = new Set(fleet.map(({ id }) => id));
    const late = place(grown, stageOf(1), { members: all, stageIndex: 3, wantedAtBegin: 40 });
    expect(late.added).toHaveLength(100);
    expect(late.added[0]).toMatchObject({ because: "late" });
  });
});
