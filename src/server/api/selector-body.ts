import * as z from "zod";
import { type Selector, selectorOf } from "../../opamp/selector.ts";
import { problemOfKey } from "../../opamp/selector-key.ts";
import type { SelectorExpression } from "../../opamp/selector-parser.ts";
import { ProblemError } from "./problem.ts";
import { selectorFrom } from "./selector-query.ts";

const selectorObject = z
  .strictObject({
    labels: z
      .record(z.string(), z.union([z.string(), z.array(z.string()).min(1)]))
      .optional()
      .describe("Each has this value, or one of these"),
    uids: z.array(z.string()).min(1).optional().describe("One of these instance UIDs"),
    get all() {
      return z.array(selectorSchema).min(1).optional().describe("All of these hold as well");
    },
    get any() {
      return z.array(selectorSchema).min(1).optional().describe("Any of these holds as well");
    },
  })
  .meta({ id: "SelectorObject" });

/** A selector in a body: text as in `?selector=`, or an object of which everything has to hold. */
export const selectorSchema: z.ZodType<SelectorInput> = z
  .union([z.string(), selectorObject])
  .meta({ id: "Selector", examples: ["env=prod", { labels: { env: "prod", region: ["eu", "us"] } }] });

export type SelectorInput =
  | string
  | {
      labels?: Record<string, string | string[]> | undefined;
      uids?: string[] | undefined;
      all?: SelectorInput[] | undefined;
      any?: SelectorInput[] | undefined;
    };

/** @throws ProblemError 400 when it is no selector, or one that says nothing: that could be a mistake */
export function selectorFromBody(input: SelectorInput): Selector {
  const selector = selectorOf(expressionOf(input));
  if (selector.text !== "") return selector;
  throw new ProblemError("empty-selector", "selector is empty: leave it out to mean every agent");
}

function expressionOf(input: SelectorInput): SelectorExpression {
  if (typeof input === "string") return selectorFrom(input).expression;
  const { labels = {}, uids, all = [], any } = input;
  return {
    op: "all",
    of: [
      ...Object.entries(labels).map(([key, value]) => labelTerm(key, value)),
      ...(uids === undefined ? [] : [{ op: "in" as const, key: "uid", values: uids }]),
      ...all.map(expressionOf),
      ...(any === undefined ? [] : [{ op: "any" as const, of: any.map(expressionOf) }]),
    ],
  };
}

function labelTerm(key: string, value: string | string[]): SelectorExpression {
  const problem = problemOfKey(key);
  if (problem !== undefined) {
    throw new ProblemError("bad-selector", `labels: ${JSON.stringify(key)}: expected ${problem}`);
  }
  return typeof value === "string" ? { op: "equals", key, value } : { op: "in", key, values: value };
}
