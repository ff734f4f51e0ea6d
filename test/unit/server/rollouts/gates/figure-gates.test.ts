import { describe, expect, it } from "vitest";
import type { Evidence, MemberFacts } from "../../../../../src/server/rollouts/gates/evidence.ts";
import { judgeFigures } from "../../../../../src/server/rollouts/gates/figure-gates.ts";
import type { Rates } from "../../../../../src/server/rollouts/gates/rates.ts";
import type { FigureGateName } from "../../../../../src/server/rollouts/strategy/gates.ts";
import { defaultGates } from "../../../../../src/server/rollouts/strategy/gates-document.ts";

const context = { gates: defaultGates, answerBudgetMs: 1, now: 0 };

function member(rates: Rates | undefined, ratesBefore: Rates | undefined): MemberFacts {
  return {
    id: "a",
    stage: 0,
    offeredAt: 0,
    reachable: true,
    answer: { t: "applied", at: 0 },
    runsOther: false,
    healthy: true,
    crashLooping: false,
    before: { healthy: true, crashLooping: false },
    tellsFigures: true,
    ratesBefore,
    rates,
  };
}

interface World {
  now: Rates | undefined;
  before?: Rates;
  count?: number;
  rest?: { now: Rates; before: Rates };
}

function judged(gate: FigureGateName, { now, before, count = 5, rest }: World, gates = defaultGates) {
  const restOf = (rates: Rates) => ({ agents: 10, disconnected: 0, unhealthy: 0, crashLooping: 0, rates });
  const evidence: Evidence = {
    members: Array.from({ length: count }, () => member(now, before)),
    rest: rest && restOf(rest.now),
    restBefore: rest && restOf(rest.before),
    queries: {},
  };
  return judgeFigures(evidence, { ...context, gates }).find((each) => each.gate === gate)!;
}

const levelOf = (...args: Parameters<typeof judged>) => judged(...args).level;

describe("figures of Collectors", () => {
  it("are held against what they were: 5 % more CPU is a warning, 10 % critical", () => {
    const levels = [1, 1.04, 1.06, 1.11].map((cpu) => levelOf("cpu", { now: { cpu }, before: { cpu: 1 } }));
    expect(levels).toEqual(["ok", "ok", "warning", "critical"]);
  });

  it("must grow by more where few Agents tell them", () => {
    const one = (cpu: number) => levelOf("cpu", { now: { cpu }, before: { cpu: 1 }, count: 1 });
    expect([1.11, 1.3, 1.6].map(one)).toEqual(["ok", "warning", "critical"]);
  });

  it("are no increase where it is next to nothing", () => {
    expect(levelOf("cpu", { now: { cpu: 0.015 }, before: { cpu: 0.001 } })).toBe("ok");
    expect(levelOf("memory", { now: { memory: 60e6 }, before: { memory: 50e6 } })).toBe("ok");
    expect(levelOf("error_logs", { now: { error_logs: 30 }, before: { error_logs: 0 } })).toBe("critical");
  });

  it("are held against the rest of the fleet at the same time", () => {
    const rest = { now: { cpu: 1.5 }, before: { cpu: 1 } };
    expect(levelOf("cpu", { now: { cpu: 1.5 }, before: { cpu: 1 }, rest })).toBe("ok");
    expect(levelOf("cpu", { now: { cpu: 1.8 }, before: { cpu: 1 }, rest })).toBe("critical");
    const failing = { send_failures: { bad: 50, all: 100 } };
    const fine = { send_failures: { bad: 0, all: 100 } };
    expect(levelOf("send_failures", { now: failing, before: fine })).toBe("critical");
    expect(
      levelOf("send_failures", { now: failing, before: fine, rest: { now: failing, before: fine } }),
    ).toBe("ok");
  });

  it("count items together, so that few of many are not drowned", () => {
    const failing = (bad: number) => ({ send_failures: { bad, all: 1_000 } });
    const levels = [5, 15, 60].map((bad) =>
      levelOf("send_failures", { now: failing(bad), before: failing(0) }),
    );
    expect(levels).toEqual(["ok", "warning", "critical"]);
    expect(levelOf("send_failures", { now: failing(395), before: failing(390) })).toBe("ok");
    expect(levelOf("send_failures", { now: failing(400), count: 1 })).toBe("critical");
  });

  it("are held against absolute limits, where these are set", () => {
    const { figures } = defaultGates;
    const limited = {
      ...defaultGates,
      figures: { ...figures, latency: { ...figures.latency!, limit: { warning: 100, critical: 500 } } },
    };
    const levels = [50, 200, 800].map((latency) => levelOf("latency", { now: { latency } }, limited));
    expect(levels).toEqual(["ok", "warning", "critical"]);
  });

  it("that do not come are no evidence, unless nobody there could tell any", () => {
    expect(levelOf("cpu", { now: undefined })).toBe("no_evidence");
    const others = { ...member(undefined, undefined), tellsFigures: false };
    const evidence = { members: [others], rest: undefined, restBefore: undefined, queries: {} };
    expect(new Set(judgeFigures(evidence, context).map(({ level }) => level))).toEqual(
      new Set(["not_applicable"]),
    );
  });
});
