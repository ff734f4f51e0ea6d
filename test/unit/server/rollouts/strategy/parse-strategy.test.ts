import { describe, expect, it } from "vitest";
import { parseStrategy, StrategyError } from "../../../../../src/server/rollouts/strategy/parse-strategy.ts";
import { readyMadeStrategies } from "../../../../../src/server/rollouts/strategy/ready-made.ts";

const minute = 60_000;
const last = { share: "100%", dwell: "1m" };

function problemsOf(document: unknown): readonly string[] {
  try {
    parseStrategy(document);
  } catch (error) {
    if (error instanceof StrategyError) return error.problems;
    throw error;
  }
  return [];
}

describe("ready-made strategies", () => {
  const stagesOf = (name: string) =>
    readyMadeStrategies
      .get(name)!
      .stages.map(({ size, dwellMs }) => [size.t === "share" ? size.share * 100 : size, dwellMs / minute]);

  it("are the ones that are promised", () => {
    expect([...readyMadeStrategies.keys()]).toEqual(["default", "standard", "progressive", "immediate"]);
    expect(stagesOf("default")).toEqual([
      [5, 10],
      [20, 10],
      [50, 10],
      [100, 10],
    ]);
    expect(stagesOf("standard")).toEqual([
      [10, 15],
      [30, 30],
      [100, 60],
    ]);
    expect(stagesOf("progressive").map(([share]) => share)).toEqual([1, 5, 10, 25, 50, 100]);
    expect(stagesOf("immediate")).toEqual([[100, 0]]);
  });

  it("let a person decide on production in the standard one", () => {
    const { stages } = readyMadeStrategies.get("standard")!;
    expect(stages.map(({ name, autoAdvance }) => [name, autoAdvance])).toEqual([
      ["canary", true],
      ["staging", true],
      ["production", false],
    ]);
  });

  it("have sensible gates, but for the immediate one, which has none", () => {
    const { shares, figures } = readyMadeStrategies.get("default")!.stages[0]!.gates;
    expect(shares.failed?.thresholds).toEqual({ warning: 0.001, critical: 0.005 });
    expect(shares.unhealthy?.thresholds.critical).toBe(0.01);
    expect(figures.cpu?.increase).toEqual({ warning: 0.05, critical: 0.1 });
    const none = readyMadeStrategies.get("immediate")!.stages[0]!.gates;
    expect([none.shares, none.figures, none.queries]).toEqual([{}, {}, []]);
  });
});

describe("a strategy document", () => {
  it("says of each stage whom, how many, how long and by what it is judged", () => {
    const strategy = parseStrategy({
      kind: "RolloutStrategy",
      name: "eu-first",
      gates: { cpu: "off", failed: { critical: "2%" } },
      stages: [
        { name: "eu", selector: "region in (eu)", count: 3, dwell: "90s", max_under_way: 2 },
        {
          ...last,
          auto_advance: false,
          gates: {
            failed: { hold: "5s" },
            queries: [{ name: "lost", query: "sum(lost)", operator: ">", critical: 4, for: "2m" }],
          },
        },
      ],
      answer_budget: "30s",
      on_breach: "pause",
      approval: true,
    });
    const [eu, rest] = strategy.stages;
    expect(eu).toMatchObject({
      name: "eu",
      size: { t: "count", count: 3 },
      dwellMs: 90_000,
      maxUnderWay: 2,
      autoAdvance: true,
    });
    expect(eu!.selector.text).toBe("region in (eu)");
    expect(eu!.gates.figures.cpu).toBeUndefined();
    expect(rest).toMatchObject({ name: "stage-2", autoAdvance: false });
    // A stage changes what it names, and keeps the rest.
    expect(rest!.gates.shares.failed).toEqual({
      thresholds: { warning: 0.001, critical: 0.02 },
      holdMs: 5_000,
    });
    expect(rest!.gates.queries).toEqual([
      {
        name: "lost",
        query: "sum(lost)",
        operator: ">",
        thresholds: { warning: undefined, critical: 4 },
        holdMs: 120_000,
      },
    ]);
    expect(strategy).toMatchObject({ answerBudgetMs: 30_000, onBreach: "pause", approval: true });
  });

  it("reads back from its own JSON", () => {
    for (const strategy of readyMadeStrategies.values()) {
      expect(parseStrategy(JSON.parse(JSON.stringify(strategy.document)))).toEqual(strategy);
    }
  });

  it.each([
    ["no stage", { name: "a", stages: [] }, "stages: needs one stage at least"],
    [
      "a share without its sign",
      { name: "a", stages: [{ share: "5", dwell: "1m" }, last] },
      'stages[0].share: expected a percentage such as 5%, got "5"',
    ],
    [
      "a share of nobody",
      { name: "a", stages: [{ share: "0%", dwell: "1m" }, last] },
      'stages[0].share: expected a percentage such as 5%, got "0%"',
    ],
    [
      "share and count",
      { name: "a", stages: [{ share: "5%", count: 3, dwell: "1m" }, last] },
      "stages[0]: needs share (such as 5%) or count (a number of agents), and not both",
    ],
    [
      "a bad dwell",
      { name: "a", stages: [{ ...last, dwell: "10" }] },
      'stages[0].dwell: expected a duration such as 10m, 0s or 1h30m, got "10"',
    ],
    [
      "an end short of everybody",
      { name: "a", stages: [{ share: "50%", dwell: "1m" }] },
      "stages[0]: the last stage reaches everybody: share: 100%, and no selector",
    ],
    [
      "a stage that shrinks",
      { name: "a", stages: [{ share: "50%", dwell: "1m" }, { share: "20%", dwell: "1m" }, last] },
      "stages[1]: is smaller than the stage before it",
    ],
    [
      "a name given twice",
      {
        name: "a",
        stages: [
          { name: "x", share: "5%", dwell: "1m" },
          { name: "x", ...last },
        ],
      },
      'stages[1]: "x" is the name of another stage',
    ],
    ["an unknown key", { name: "a", stages: [last], dwel: 1 }, "dwel: unknown key"],
    ["an unknown gate", { name: "a", stages: [last], gates: { fialed: {} } }, "gates.fialed: unknown key"],
    [
      "a bad threshold",
      { name: "a", stages: [last], gates: { failed: { critical: "150%" } } },
      'gates.failed.critical: expected a percentage such as 0.5%, got "150%"',
    ],
    [
      "a query without threshold",
      { name: "a", stages: [last], gates: { queries: [{ name: "q", query: "up", operator: "<" }] } },
      "gates.queries[0]: needs warning, critical or both: the number the result is compared with",
    ],
    [
      "a bad selector",
      { name: "a", stages: [{ selector: "a=(", share: "5%", dwell: "1m" }, last] },
      'stages[0].selector: bad selector "a=(": expected a value after = at character 3, found "("',
    ],
    [
      "a count that can never pass",
      { name: "a", minimum_answers: 3, stages: [{ count: 2, dwell: "1m" }, last] },
      "stages[0].count: count is below minimum_answers (3): it could never pass",
    ],
  ])("is refused for %s, with the place", (_, document, problem) => {
    expect(problemsOf(document)).toContain(problem);
  });
});
