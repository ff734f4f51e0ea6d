import * as z from "zod";
import { everyAgent } from "../../../opamp/selector.ts";
import { defaultGates, gatesDocument, gatesFrom } from "./gates-document.ts";
import type { Stage, StageSize, Strategy, StrategyDocument } from "./strategy.ts";
import { duration, percentage, selector } from "./values.ts";

/** What is wrong with a strategy: one line for each problem, with its place. */
export class StrategyError extends Error {
  override readonly name = "StrategyError";
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`not a rollout strategy: ${problems.join("; ")}`);
    this.problems = problems;
  }
}

const nameOf = z.string().regex(/^[a-z0-9][a-z0-9._-]{0,62}$/, {
  error: "expected a name of lower-case letters, digits, '.', '_' and '-'",
});

const stageDocument = z
  .strictObject({
    name: nameOf.optional(),
    selector: selector().optional(),
    share: percentage({ example: "5%", max: 1, zero: false }).optional(),
    count: z.int().min(1).optional(),
    dwell: duration(),
    max_under_way: z.int().min(1).optional(),
    auto_advance: z.boolean().default(true),
    gates: gatesDocument.optional(),
  })
  .refine(({ share, count }) => (share === undefined) !== (count === undefined), {
    error: "needs share (such as 5%) or count (a number of agents), and not both",
  });

/** A document of `kind: RolloutStrategy`. */
const strategyDocument = z
  .strictObject({
    kind: z.literal("RolloutStrategy").optional(),
    name: nameOf,
    description: z.string().default(""),
    stages: z.array(stageDocument).min(1, { error: "needs one stage at least" }),
    gates: gatesDocument.optional(),
    answer_budget: duration().default(120_000),
    minimum_answers: z.int().min(1).default(1),
    on_breach: z.enum(["roll_back", "pause"]).default("roll_back"),
    max_rollback_depth: z.int().min(1).max(100).default(5),
    approval: z.boolean().default(false),
  })
  .superRefine(({ stages, minimum_answers }, context) => {
    const complain = (message: string, path: (string | number)[]) =>
      context.addIssue({ code: "custom", message, path });
    stages.forEach((stage, index) => {
      const isLast = index === stages.length - 1;
      const isAll = stage.share === 1 && (stage.selector?.text ?? "") === "";
      if (isLast && !isAll) {
        complain("the last stage reaches everybody: share: 100%, and no selector", ["stages", index]);
      }
      if (!isLast && isAll) complain("only the last stage is share: 100% of everybody", ["stages", index]);
      if (stage.count !== undefined && stage.count < minimum_answers) {
        complain(`count is below minimum_answers (${minimum_answers}): it could never pass`, [
          "stages",
          index,
          "count",
        ]);
      }
      const before = stages[index - 1];
      if (before === undefined || !sameSelector(stage.selector?.text, before.selector?.text)) return;
      if (shrinks(before, stage)) complain("is smaller than the stage before it", ["stages", index]);
    });
    for (const [index, name] of stages.map((stage, each) => stageName(stage.name, each)).entries()) {
      const first = stages.findIndex((stage, each) => stageName(stage.name, each) === name);
      if (first < index) complain(`${JSON.stringify(name)} is the name of another stage`, ["stages", index]);
    }
  });

/**
 * A strategy from plain data (YAML or JSON, already read).
 * @throws StrategyError with everything that is wrong with it.
 */
export function parseStrategy(document: unknown): Strategy {
  const result = strategyDocument.safeParse(document);
  if (!result.success) throw new StrategyError(problemsOf(result.error.issues));
  const found = result.data;
  const gates = gatesFrom(found.gates, defaultGates);
  const stages = found.stages.map(
    (stage, index): Stage => ({
      name: stageName(stage.name, index),
      selector: stage.selector ?? everyAgent,
      size: sizeOf(stage),
      dwellMs: stage.dwell,
      maxUnderWay: stage.max_under_way,
      autoAdvance: stage.auto_advance,
      gates: gatesFrom(stage.gates, gates),
    }),
  );
  return {
    name: found.name,
    description: found.description,
    stages,
    answerBudgetMs: found.answer_budget,
    minimumAnswers: found.minimum_answers,
    onBreach: found.on_breach,
    maxRollbackDepth: found.max_rollback_depth,
    approval: found.approval,
    document: document as StrategyDocument,
  };
}

interface SizeDocument {
  readonly share?: number | undefined;
  readonly count?: number | undefined;
}

function sizeOf({ share = 1, count }: SizeDocument): StageSize {
  return count === undefined ? { t: "share", share } : { t: "count", count };
}

function shrinks(before: SizeDocument, stage: SizeDocument): boolean {
  if (before.share !== undefined && stage.share !== undefined) return stage.share < before.share;
  if (before.count !== undefined && stage.count !== undefined) return stage.count < before.count;
  return false;
}

function sameSelector(a = "", b = ""): boolean {
  return a === b;
}

function stageName(name: string | undefined, index: number): string {
  return name ?? `stage-${index + 1}`;
}

/** A union tells of every branch; what people want to read is the one they meant, the last and longest. */
function problemsOf(issues: readonly z.core.$ZodIssue[], base: readonly PropertyKey[] = []): string[] {
  return issues.flatMap((issue) => {
    const path = [...base, ...issue.path];
    if (issue.code === "invalid_union") {
      const meant = issue.errors.at(-1);
      return meant === undefined ? [`${placeOf(path)}${issue.message}`] : problemsOf(meant, path);
    }
    if (issue.code === "unrecognized_keys") {
      return issue.keys.map((key) => `${placeOf([...path, key])}unknown key`);
    }
    return [`${placeOf(path)}${issue.message}`];
  });
}

function placeOf(path: readonly PropertyKey[]): string {
  const text = path.map((part) => (typeof part === "number" ? `[${part}]` : `.${String(part)}`)).join("");
  return text === "" ? "" : `${text.replace(/^\./, "")}: `;
}
