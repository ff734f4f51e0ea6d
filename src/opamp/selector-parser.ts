import { problemOfKey } from "./selector-key.ts";
import { isVersion } from "./version-order.ts";

/**
 * One condition. `!=` and `notin` also hold when there is no such label, as in Kubernetes; comparisons are of versions,
 * and hold for no label that is none.
 */
export type SelectorTerm =
  | { op: "equals" | "not-equals" | VersionComparison; key: string; value: string }
  | { op: "in" | "not-in"; key: string; values: readonly string[] }
  | { op: "exists" | "not-exists"; key: string };

export type VersionComparison = "at-least" | "above" | "at-most" | "below";

/** Conditions of which all, or any, have to hold. All of none is every Agent. */
export interface SelectorGroup {
  op: "all" | "any";
  of: readonly SelectorExpression[];
}

export type SelectorExpression = SelectorTerm | SelectorGroup;

/** A text that is not a label selector; the message points at the place. */
export class SelectorError extends Error {
  override readonly name = "SelectorError";
  /** Where the text stops making sense, counted from 0. */
  readonly position: number;

  constructor(text: string, position: number, expected: string) {
    const found = position < text.length ? JSON.stringify(text.slice(position, position + 20)) : "the end";
    super(
      `bad selector ${JSON.stringify(text)}: expected ${expected} at character ${position + 1}, found ${found}`,
    );
    this.position = position;
  }
}

const conditions =
  "a condition such as env=prod, env!=prod, env in (a, b), env notin (a, b), env, !env or service.version>=2.0.0";

/** As deep as parentheses may be nested. */
const maxDepth = 16;

/** The longer ones first: each begins with a shorter one. */
const comparisons: readonly (readonly [sign: string, op: VersionComparison])[] = [
  [">=", "at-least"],
  ["<=", "at-most"],
  [">", "above"],
  ["<", "below"],
];

/** Conditions joined by `,` (all) and `||` (any, which binds less), with parentheses. @throws SelectorError */
export function parseSelectorText(text: string): SelectorExpression {
  const reader = new Reader(text);
  if (reader.atEnd()) return { op: "all", of: [] };
  const expression = readAny(reader, 0);
  if (!reader.atEnd()) reader.fail('",", "||" or the end');
  return expression;
}

function readAny(reader: Reader, depth: number): SelectorExpression {
  const of = [readAll(reader, depth)];
  while (reader.accept("||")) of.push(readAll(reader, depth));
  return { op: "any", of };
}

function readAll(reader: Reader, depth: number): SelectorExpression {
  const of = [readItem(reader, depth)];
  while (reader.accept(",")) of.push(readItem(reader, depth));
  return { op: "all", of };
}

function readItem(reader: Reader, depth: number): SelectorExpression {
  if (!reader.accept("(")) return readTerm(reader);
  if (depth >= maxDepth) reader.fail(`no more than ${maxDepth} parentheses within each other`);
  const inner = readAny(reader, depth + 1);
  reader.expect(")");
  return inner;
}

function readTerm(reader: Reader): SelectorTerm {
  if (reader.accept("!")) return { op: "not-exists", key: readKey(reader, "a label after !") };
  const key = readKey(reader, conditions);
  if ((key === "exists" || key === "has") && reader.accept("(")) {
    const label = readKey(reader, "a label");
    reader.expect(")");
    return { op: "exists", key: label };
  }
  if (reader.accept("!=")) return { op: "not-equals", key, value: reader.word("a value after !=") };
  for (const [sign, op] of comparisons) {
    if (reader.accept(sign)) return { op, key, value: readVersion(reader) };
  }
  if (reader.accept("==") || reader.accept("=")) {
    return { op: "equals", key, value: reader.word("a value after =") };
  }
  if (reader.acceptKeyword("notin")) return { op: "not-in", key, values: readValues(reader) };
  if (reader.acceptKeyword("in")) return { op: "in", key, values: readValues(reader) };
  return { op: "exists", key };
}

/** A mistyped capability would pick no Agent, or with `!` every one. */
function readKey(reader: Reader, expected: string): string {
  return reader.checkedWord(expected, problemOfKey);
}

function readVersion(reader: Reader): string {
  const expected = "a version such as 2.1.0";
  return reader.checkedWord(expected, (text) => (isVersion(text) ? undefined : expected));
}

function readValues(reader: Reader): string[] {
  reader.expect("(");
  const values: string[] = [];
  do {
    values.push(reader.word("a value"));
  } while (reader.accept(","));
  reader.expect(")");
  return values;
}

class Reader {
  #position = 0;
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  fail(expected: string): never {
    throw new SelectorError(this.#text, this.#position, expected);
  }

  atEnd(): boolean {
    this.#match(/\s*/y);
    return this.#position === this.#text.length;
  }

  accept(token: string): boolean {
    this.#match(/\s*/y);
    if (!this.#text.startsWith(token, this.#position)) return false;
    this.#position += token.length;
    return true;
  }

  /** Accepts a word only where a list follows, so that a label may be called `in`. */
  acceptKeyword(word: string): boolean {
    return this.#match(new RegExp(`\\s*${word}(?=\\s*\\()`, "y")) !== undefined;
  }

  expect(token: string): void {
    if (!this.accept(token)) this.fail(`"${token}"`);
  }

  /** A word of which `problemOf` does not say that something else was expected. */
  checkedWord(expected: string, problemOf: (word: string) => string | undefined): string {
    this.#match(/\s*/y);
    const start = this.#position;
    const word = this.word(expected);
    const problem = problemOf(word);
    if (problem === undefined) return word;
    this.#position = start;
    return this.fail(problem);
  }

  /** A bare word, or one in double quotes in which a backslash takes the next character as it is. */
  word(expected: string): string {
    this.#match(/\s*/y);
    const bare = this.#match(/[^\s,()=!<>|"\\]+/uy);
    if (bare !== undefined) return bare;
    const start = this.#position;
    const quoted = this.#match(/"(?:[^"\\]|\\.)*"/suy);
    if (quoted !== undefined) return quoted.slice(1, -1).replaceAll(/\\(.)/gsu, "$1");
    if (this.#text[start] === '"') {
      this.#position = this.#text.length;
      this.fail("a closing quote");
    }
    return this.fail(expected);
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#position;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#position += found.length;
    return found;
  }
}
