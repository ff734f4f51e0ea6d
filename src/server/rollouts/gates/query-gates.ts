import { assertNever } from "../../../foundation/assert-never.ts";
import type { QueryGate, QueryOperator } from "../strategy/gates.ts";
import type { QueryResult } from "./evidence.ts";
import { type Finding, levelBy } from "./finding.ts";

/** A result older than this is none: the query has failed since, or nobody asks. In milliseconds. */
const staleAfterMs = 60_000;

/** What a query gate says: a query that fails, or has no result, is no evidence. */
export function judgeQuery(gate: QueryGate, result: QueryResult | undefined, now: number): Finding {
  const name = `query ${gate.name}`;
  if (result === undefined) return { gate: name, level: "no_evidence", text: `${name}: not asked yet` };
  if (result.t === "failed") {
    return { gate: name, level: "no_evidence", text: `${name}: ${result.reason}` };
  }
  if (now - result.at > staleAfterMs) {
    return { gate: name, level: "no_evidence", text: `${name}: its last result is too old` };
  }
  const { level, threshold } = levelBy(gate.thresholds, (each) => compare(result.value, gate.operator, each));
  const text = `${name}: ${result.value}; ${level === "ok" ? "threshold" : level} ${gate.operator} ${threshold}`;
  return { gate: name, level, figure: result.value, threshold, text };
}

function compare(value: number, operator: QueryOperator, threshold: number): boolean {
  switch (operator) {
    case ">":
      return value > threshold;
    case ">=":
      return value >= threshold;
    case "<":
      return value < threshold;
    case "<=":
      return value <= threshold;
    case "==":
      return value === threshold;
    case "!=":
      return value !== threshold;
    default:
      return assertNever(operator);
  }
}
