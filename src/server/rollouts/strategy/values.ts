import * as z from "zod";
import { parseDuration } from "../../../foundation/settings-file/duration.ts";
import { everyAgent, parseSelector, type Selector } from "../../../opamp/selector.ts";

/** `5%` as 0.05; `max` is a share too, and 0% is refused where nothing is meant by it. */
export function percentage(options: { example: string; max?: number; zero?: boolean }) {
  const { example, max = Number.POSITIVE_INFINITY, zero = true } = options;
  return parsed(`expected a percentage such as ${example}`, (text) => {
    const [, number] = /^\+?(\d+(?:\.\d+)?)\s*%$/.exec(text.trim()) ?? [];
    if (number === undefined) return undefined;
    const value = Number(number) / 100;
    return value <= max && (zero || value > 0) ? value : undefined;
  });
}

/** `10m` in milliseconds, 0 or more. */
export function duration() {
  return parsed("expected a duration such as 10m, 0s or 1h30m", (text) => {
    const value = parseDuration(text);
    return value !== undefined && value >= 0 ? value : undefined;
  });
}

/** A label selector; empty text picks every Agent. */
export function selector() {
  return z.string().transform((text, context): Selector => {
    try {
      return parseSelector(text);
    } catch (error) {
      context.addIssue({ code: "custom", message: (error as Error).message });
      return everyAgent;
    }
  });
}

function parsed(expected: string, parse: (text: string) => number | undefined) {
  return z.string({ error: expected }).transform((text, context): number => {
    const value = parse(text);
    if (value !== undefined) return value;
    context.addIssue({ code: "custom", message: `${expected}, got ${JSON.stringify(text)}` });
    return z.NEVER;
  });
}
