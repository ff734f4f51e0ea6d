/** One condition. `!=` and `notin` also hold when the label is missing, as in Kubernetes. */
export type SelectorTerm =
  | { op: "equals" | "not-equals"; key: string; value: string }
  | { op: "in" | "not-in"; key: string; values: readonly string[] }
  | { op: "exists" | "not-exists"; key: string };

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

const conditions = "a condition such as env=prod, env!=prod, env in (a, b), env notin (a, b), env or !env";

/** The terms of a selector, in the order written; none for an empty text. @throws SelectorError */
export function parseSelectorTerms(text: string): SelectorTerm[] {
  const reader = new Reader(text);
  const terms: SelectorTerm[] = [];
  if (reader.atEnd()) return terms;
  do {
    terms.push(readTerm(reader));
  } while (reader.accept(","));
  if (!reader.atEnd()) reader.fail('"," or the end');
  return terms;
}

function readTerm(reader: Reader): SelectorTerm {
  if (reader.accept("!")) return { op: "not-exists", key: reader.word("a label after !") };
  const key = reader.word(conditions);
  if ((key === "exists" || key === "has") && reader.accept("(")) {
    const label = reader.word("a label");
    reader.expect(")");
    return { op: "exists", key: label };
  }
  if (reader.accept("!=")) return { op: "not-equals", key, value: reader.word("a value after !=") };
  if (reader.accept("==") || reader.accept("=")) {
    return { op: "equals", key, value: reader.word("a value after =") };
  }
  if (reader.acceptKeyword("notin")) return { op: "not-in", key, values: readValues(reader) };
  if (reader.acceptKeyword("in")) return { op: "in", key, values: readValues(reader) };
  return { op: "exists", key };
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

  /** A bare word, or one in double quotes in which a backslash takes the next character as it is. */
  word(expected: string): string {
    this.#match(/\s*/y);
    const bare = this.#match(/[^\s,()=!"\\]+/uy);
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
