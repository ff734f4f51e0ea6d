import type { Resolved } from "./variables.ts";

/** How a condition is judged: whether it holds, or what is wrong with it. */
export type Judged = { holds: boolean } | { problem: string };

/**
 * Judges `{{.flag}}`, `!{{.flag}}`, `{{.env}} == prod`, `{{.rate}} >= 0.5`, and several of these joined by `&&`. Texts are compared
 * by `==` and `!=`, numbers by `<`, `<=`, `>` and `>=` too; a variable that was left out equals nothing.
 */
export function judgeCondition(text: string, values: ReadonlyMap<string, Resolved>): Judged {
  let holds = true;
  for (const term of text.split("&&")) {
    const judged = judgeTerm(term.trim(), values);
    if ("problem" in judged) return judged;
    holds &&= judged.holds;
  }
  return { holds };
}

function judgeTerm(term: string, values: ReadonlyMap<string, Resolved>): Judged {
  const [, not, name = "", operator, literal = ""] =
    /^(!?)\s*\{\{\s*\.(\w+)\s*\}\}(?:\s*(==|!=|<=|>=|<|>)\s*(.+))?$/.exec(term) ?? [];
  if (not === undefined) {
    return {
      problem: `expected {{.name}} or a comparison such as {{.env}} == prod, got ${JSON.stringify(term)}`,
    };
  }
  const resolved = values.get(name);
  if (resolved === undefined) return { problem: `{{.${name}}} is no variable of this template` };
  if (resolved.t === "secret") return { problem: `{{.${name}}} is a secret, which no condition can ask for` };
  const value = resolved.t === "absent" ? undefined : resolved.value;
  if (operator === undefined) {
    if (value !== undefined && typeof value !== "boolean") {
      return { problem: `{{.${name}}} is not true or false: compare it with something` };
    }
    return { holds: (value === true) !== (not === "!") };
  }
  if (not === "!") return { problem: "a comparison cannot be negated by !: use the opposite one" };
  return compare(value, operator, literal.trim().replace(/^(["'])(.*)\1$/s, "$2"));
}

function compare(
  value: string | boolean | bigint | number | undefined,
  operator: string,
  literal: string,
): Judged {
  if (value === undefined) return { holds: operator === "!=" };
  const isNumber = typeof value === "bigint" || typeof value === "number";
  const number = Number(literal);
  if (isNumber && (literal === "" || Number.isNaN(number))) {
    return { problem: `expected a number to compare with, got ${JSON.stringify(literal)}` };
  }
  if (!isNumber && operator !== "==" && operator !== "!=") {
    return { problem: `${operator} compares numbers only` };
  }
  const order = isNumber ? Number(value) - number : String(value) === literal ? 0 : 1;
  switch (operator) {
    case "==":
      return { holds: order === 0 };
    case "!=":
      return { holds: order !== 0 };
    case "<":
      return { holds: order < 0 };
    case "<=":
      return { holds: order <= 0 };
    case ">":
      return { holds: order > 0 };
    default:
      return { holds: order >= 0 };
  }
}
