import { describe, expect, it } from "vitest";
import type { Evidence } from "../../../../../src/server/rollouts/gates/evidence.ts";
import { judge } from "../../../../../src/server/rollouts/gates/judge.ts";
import { judgeQuery } from "../../../../../src/server/rollouts/gates/query-gates.ts";
import type { QueryGate } from "../../../../../src/server/rollouts/strategy/gates.ts";
import { defaultGates } from "../../../../../src/server/rollouts/strategy/gates-document.ts";

const gate: QueryGate = {
  name: "lost",
  query: "sum(lost)",
  operator: ">",
  thresholds: { warning: 1, critical: 10 },
  holdMs: 60_000,
};
const gates = { ...defaultGates, shares: {}, figures: {}, queries: [gate] };

function evidenceOf(value: number, at: number): Evidence {
  const lost = { t: "value" as const, value, at };
  return { members: [], rest: undefined, restBefore: undefined, queries: { lost } };
}

describe("a verdict", () => {
  it("comes only when a breach has held for as long as it must", () => {
    const at = (now: number, value: number, before = {}) =>
      judge(evidenceOf(value, now), { gates, answerBudgetMs: 0, now }, before);
    const first = at(1_000, 20);
    expect(first).toMatchObject({ t: "wait", because: [{ gate: "query lost", level: "critical" }] });
    const second = at(60_000, 20, first.breachedSince);
    expect(second.t).toBe("wait");
    expect(at(61_000, 20, second.breachedSince).t).toBe("critical");
    // Once it was fine in between, the time begins anew.
    const fine = at(30_000, 0, first.breachedSince);
    expect(fine).toMatchObject({ t: "pass", breachedSince: {} });
    expect(at(61_000, 20, fine.breachedSince).t).toBe("wait");
  });

  it("is a warning from when the warning was crossed, also while it is worse", () => {
    const crossed = judge(evidenceOf(5, 0), { gates, answerBudgetMs: 0, now: 0 }, {});
    const worse = judge(
      evidenceOf(20, 50_000),
      { gates, answerBudgetMs: 0, now: 50_000 },
      crossed.breachedSince,
    );
    const now = { gates, answerBudgetMs: 0, now: 60_000 };
    expect(judge(evidenceOf(20, 60_000), now, worse.breachedSince).t).toBe("warning");
  });
});

describe("a query", () => {
  const value = (number: number) => ({ t: "value" as const, value: number, at: 0 });

  it.each([
    [">", 10, "ok"],
    [">", 10.1, "critical"],
    [">=", 10, "critical"],
    ["<", 9, "critical"],
    ["<=", 10, "critical"],
    ["==", 10, "critical"],
    ["!=", 10, "ok"],
  ] as const)("with %s and 10 finds %d %s", (operator, number, level) => {
    const thresholds = { warning: undefined, critical: 10 };
    expect(judgeQuery({ ...gate, operator, thresholds }, value(number), 0).level).toBe(level);
  });

  it("that fails, has not been asked or is old is no evidence", () => {
    const failed = { t: "failed" as const, reason: "timed out" };
    expect(judgeQuery(gate, failed, 0)).toMatchObject({
      level: "no_evidence",
      text: "query lost: timed out",
    });
    expect(judgeQuery(gate, undefined, 0).level).toBe("no_evidence");
    expect(judgeQuery(gate, value(0), 61_000).level).toBe("no_evidence");
  });
});
