import { asksState, keyReader, uidKey } from "./selector-key.ts";
import {
  parseSelectorText,
  type SelectorExpression,
  type SelectorGroup,
  type SelectorTerm,
  type VersionComparison,
} from "./selector-parser.ts";
import type { AgentState } from "./server/agent-state.ts";
import { compareVersions } from "./version-order.ts";

/** What a selector is asked about: an Agent's instance UID, its labels and what it said it can do. */
export interface Selectable {
  readonly id: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Left out where only labels are known: a selector that `asksState` is not to be asked there. */
  readonly state?: Pick<AgentState, "capabilities" | "availableComponents">;
}

/** A parsed label selector. */
export interface Selector {
  /** One spelling for equal selectors; parses back to the same selector. */
  readonly text: string;
  readonly expression: SelectorExpression;
  /** Whether it asks for capabilities or components. */
  readonly asksState: boolean;
  matches(agent: Selectable): boolean;
}

/** Picks every Agent. */
export const everyAgent: Selector = selectorOf({ op: "all", of: [] });

/**
 * Parses `env=prod, region in (eu, us), gpu, !legacy, service.version>=2.0.0 || uid=0198…, capability:AcceptsPackages`.
 * @throws SelectorError with the position, when the text is not a selector.
 */
export function parseSelector(text: string): Selector {
  return selectorOf(parseSelectorText(text));
}

/** The selector of an expression that did not come as text; its values are texts that may hold anything. */
export function selectorOf(expression: SelectorExpression): Selector {
  const plain = simplify(expression);
  return {
    text: format(plain),
    expression: plain,
    asksState: keysOf(plain).some(asksState),
    matches: compile(plain),
  };
}

/** The same without groups of one, and without groups right within their own kind. */
function simplify(expression: SelectorExpression): SelectorExpression {
  if (!isGroup(expression)) return expression;
  const { op } = expression;
  const of = expression.of.map(simplify).flatMap((each) => (each.op === op ? each.of : [each]));
  const [only] = of;
  return only !== undefined && of.length === 1 ? only : { op, of };
}

function isGroup(expression: SelectorExpression): expression is SelectorGroup {
  return expression.op === "all" || expression.op === "any";
}

function keysOf(expression: SelectorExpression): string[] {
  return isGroup(expression) ? expression.of.flatMap(keysOf) : [expression.key];
}

type Predicate = (agent: Selectable) => boolean;

function compile(expression: SelectorExpression): Predicate {
  if (!isGroup(expression)) return compileTerm(expression);
  const of = expression.of.map(compile);
  if (expression.op === "all") return (agent) => of.every((matches) => matches(agent));
  return (agent) => of.some((matches) => matches(agent));
}

function compileTerm(term: SelectorTerm): Predicate {
  const read = keyReader(term.key);
  // People paste UUIDs in capitals; labels are compared exactly.
  const normal = (value: string) => (term.key === uidKey ? value.toLowerCase() : value);
  switch (term.op) {
    case "equals": {
      const wanted = normal(term.value);
      return (agent) => read(agent) === wanted;
    }
    case "not-equals": {
      const unwanted = normal(term.value);
      return (agent) => read(agent) !== unwanted;
    }
    case "in": {
      const wanted: ReadonlySet<string | undefined> = new Set(term.values.map(normal));
      return (agent) => wanted.has(read(agent));
    }
    case "not-in": {
      const unwanted: ReadonlySet<string | undefined> = new Set(term.values.map(normal));
      return (agent) => !unwanted.has(read(agent));
    }
    case "exists":
      return (agent) => read(agent) !== undefined;
    case "not-exists":
      return (agent) => read(agent) === undefined;
    case "at-least":
    case "above":
    case "at-most":
    case "below": {
      const { holds } = comparisons[term.op];
      return (agent) => {
        const actual = read(agent);
        const order = actual === undefined ? undefined : compareVersions(actual, term.value);
        return order !== undefined && holds(order);
      };
    }
  }
}

const comparisons: Readonly<Record<VersionComparison, { sign: string; holds: (order: number) => boolean }>> =
  {
    "at-least": { sign: ">=", holds: (order) => order >= 0 },
    above: { sign: ">", holds: (order) => order > 0 },
    "at-most": { sign: "<=", holds: (order) => order <= 0 },
    below: { sign: "<", holds: (order) => order < 0 },
  };

function format(expression: SelectorExpression): string {
  if (!isGroup(expression)) return formatTerm(expression);
  if (expression.op === "any") return expression.of.map(format).join("||");
  return expression.of.map((each) => (each.op === "any" ? `(${format(each)})` : format(each))).join(",");
}

function formatTerm(term: SelectorTerm): string {
  const key = quoteIfNeeded(term.key);
  switch (term.op) {
    case "equals":
      return `${key}=${quoteIfNeeded(term.value)}`;
    case "not-equals":
      return `${key}!=${quoteIfNeeded(term.value)}`;
    case "in":
      return `${key} in (${term.values.map(quoteIfNeeded).join(",")})`;
    case "not-in":
      return `${key} notin (${term.values.map(quoteIfNeeded).join(",")})`;
    case "exists":
      return key;
    case "not-exists":
      return `!${key}`;
    case "at-least":
    case "above":
    case "at-most":
    case "below":
      return `${key}${comparisons[term.op].sign}${quoteIfNeeded(term.value)}`;
  }
}

function quoteIfNeeded(text: string): string {
  return /^[^\s,()=!<>|"\\]+$/u.test(text) ? text : `"${text.replaceAll(/["\\]/g, "\\$&")}"`;
}
