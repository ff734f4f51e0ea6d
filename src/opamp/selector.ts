import { parseSelectorTerms, type SelectorTerm } from "./selector-parser.ts";

/** What a selector is asked about: an Agent's instance UID and its attributes. */
export interface Selectable {
  readonly id: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** A parsed label selector: every term must hold. Without terms it picks every Agent. */
export interface Selector {
  /** One spelling for equal selectors; parses back to the same selector. */
  readonly text: string;
  readonly terms: readonly SelectorTerm[];
  matches(agent: Selectable): boolean;
}

/** The key that means the instance UID instead of a label. */
const uidKey = "uid";

/** Picks every Agent. */
export const everyAgent: Selector = selectorOf([]);

/**
 * Parses `env=prod, region in (eu, us), gpu, !legacy, uid=0198…`.
 * @throws SelectorError with the position, when the text is not a selector.
 */
export function parseSelector(text: string): Selector {
  return selectorOf(parseSelectorTerms(text));
}

function selectorOf(terms: readonly SelectorTerm[]): Selector {
  return {
    text: terms.map(formatTerm).join(","),
    terms,
    matches: (agent) => terms.every((term) => termMatches(term, agent)),
  };
}

function termMatches(term: SelectorTerm, agent: Selectable): boolean {
  const actual = labelValue(agent, term.key);
  switch (term.op) {
    case "equals":
      return actual !== undefined && same(term.key, actual, term.value);
    case "not-equals":
      return actual === undefined || !same(term.key, actual, term.value);
    case "in":
      return actual !== undefined && term.values.some((value) => same(term.key, actual, value));
    case "not-in":
      return actual === undefined || !term.values.some((value) => same(term.key, actual, value));
    case "exists":
      return actual !== undefined;
    case "not-exists":
      return actual === undefined;
  }
}

function labelValue(agent: Selectable, key: string): string | undefined {
  if (key === uidKey) return agent.id;
  return Object.hasOwn(agent.labels, key) ? agent.labels[key] : undefined;
}

/** People paste UUIDs in capitals; labels are compared exactly. */
function same(key: string, actual: string, wanted: string): boolean {
  return key === uidKey ? actual === wanted.toLowerCase() : actual === wanted;
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
  }
}

function quoteIfNeeded(text: string): string {
  return /^[^\s,()=!"\\]+$/u.test(text) ? text : `"${text.replaceAll(/["\\]/g, "\\$&")}"`;
}
