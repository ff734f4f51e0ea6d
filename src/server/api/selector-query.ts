import * as z from "zod";
import { everyAgent, parseSelector, type Selector } from "../../opamp/selector.ts";
import { SelectorError } from "../../opamp/selector-parser.ts";
import { ProblemError } from "./problem.ts";

/** `?selector=` of every route that has one. */
export const selectorParameter = z
  .string()
  .optional()
  .describe(
    "The agents meant, such as env=prod,region in (eu,us) || service.version<2.0.0; every agent when it is left out",
  );

/**
 * The Agents that `?selector=` picks; every Agent when it is left out.
 * @throws ProblemError 400 when it is empty, as an unset shell variable makes it, or not a selector.
 */
export function selectorFrom(text: string | undefined): Selector {
  if (text === undefined) return everyAgent;
  if (text.trim() === "") {
    throw new ProblemError("empty-selector", "selector is empty: leave it out to mean every agent");
  }
  try {
    return parseSelector(text);
  } catch (error) {
    if (error instanceof SelectorError) throw new ProblemError("bad-selector", error.message);
    throw error;
  }
}
