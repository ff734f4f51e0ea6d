import { Lexer, LineCounter, parseDocument, type YAMLParseError } from "yaml";
import { resolvePlain } from "./plain-scalar.ts";
import { splitKeys } from "./split-keys.ts";
import { isTree, type Tree, type Value } from "./tree.ts";
import { Builder } from "./yaml-builder.ts";
import { maxDepth, YamlProblem } from "./yaml-problem.ts";
import { cutMap, type Section } from "./yaml-sections.ts";

/** Larger texts are read in parts: the parser's own structures take a hundred times the text. */
const sectionLength = 32 * 1024;
/** Longer texts are not read in one, should reading the parts fail. */
const wholeLength = 16 * sectionLength;

/** What one text may take of the memory of this program; measured with the launcher's flags. */
const limits = {
  /** Scalars, lists and maps; each takes up to 300 bytes until the configuration is written. */
  values: 250_000,
  /** Of a part that cannot be cut; what the parser makes of each takes some 300 bytes. */
  tokens: 100_000,
  /** Characters in double quotes, of such a part. The parser takes 32 bytes for each. */
  quoted: 1024 * 1024,
};

/**
 * Reads one YAML document the way the Collector does (its scalars, merge keys, `a::b` for nested keys).
 * Nothing at all, or null, is an empty map.
 * @throws YamlProblem when it is malformed, not a map, has a key twice, or is nested, aliased or filled too much.
 */
export function readYaml(text: string): Tree {
  return splitKeys(readText(text));
}

function readText(text: string): Tree {
  try {
    return new Reader(sectionLength).read(text, 0, 0);
  } catch (error) {
    // A text that only looked as if it could be cut; and if not, this knows better what is wrong.
    if (error instanceof YamlProblem && text.length > sectionLength && text.length <= wholeLength) {
      return new Reader(wholeLength).read(text, 0, 0);
    }
    throw error;
  }
}

/** Large maps are read entry by entry, so that only the values of what was read are kept. */
class Reader {
  readonly #builder = new Builder();
  readonly #sectionLength: number;
  #values = 0;

  constructor(length: number) {
    this.#sectionLength = length;
  }

  read(text: string, depth: number, line: number): Tree {
    const length = this.#sectionLength;
    const sections = text.length > length ? cutMap(text, length) : undefined;
    const [first, second] = sections ?? [];
    if (sections === undefined || (second === undefined && first?.key === undefined)) {
      return this.#parse(text, depth, line);
    }
    const entries = new Map<string, Value>();
    for (const section of sections) {
      const { key } = section;
      const from = line + section.line;
      const read =
        key === undefined ? this.#parse(section.text, depth, from) : this.#below(section, depth, from);
      for (const [name, value] of Object.entries(read)) {
        if (entries.has(name)) throw new YamlProblem(`key ${JSON.stringify(name)} is there twice`, from + 1);
        entries.set(name, value);
      }
    }
    return Object.fromEntries(entries);
  }

  #below({ text, key = "" }: Section, depth: number, line: number): Tree {
    if (resolvePlain(key) === null) throw new YamlProblem("a key is missing", line);
    if (depth >= maxDepth) throw new YamlProblem(`nested deeper than ${maxDepth} levels`, line);
    return { [key]: this.read(text, depth + 1, line) };
  }

  #parse(text: string, depth: number, line: number): Tree {
    if (text.length > sectionLength) checkTokens(text);
    const lines = new LineCounter();
    const lineAt = (offset: number) => line + lines.linePos(offset).line;
    const document = parse(text, lines);
    const [error] = document.errors;
    if (error !== undefined) throw toProblem(error, lineAt(error.pos[0]));
    const content = document.contents;
    if (content === null) return {};
    const { value, size } = this.#builder.build(content, depth, lineAt);
    this.#values += size;
    if (this.#values > limits.values) throw new YamlProblem(`too large: more than ${limits.values} values`);
    if (value === null) return {};
    if (isTree(value)) return value;
    throw new YamlProblem("not a YAML map: expected keys such as receivers:", lineAt(content.range[0]));
  }
}

/** The lexer, unlike the parser, keeps nothing. */
function checkTokens(text: string): void {
  let tokens = 0;
  let quoted = 0;
  let depth = 0;
  for (const token of new Lexer().lex(text)) {
    tokens += 1;
    if (token === "[" || token === "{") depth += 1;
    if (token === "]" || token === "}") depth -= 1;
    if (token.startsWith('"')) quoted += token.length;
    if (quoted > limits.quoted) {
      throw new YamlProblem(
        `too large: more than ${limits.quoted} characters in double quotes; use a block text`,
      );
    }
    if (depth > maxDepth) throw new YamlProblem(`nested deeper than ${maxDepth} levels`);
    if (tokens > limits.tokens) {
      const what = "a list or flow map that cannot be read piece by piece";
      throw new YamlProblem(`too large: ${what} has more than ${limits.tokens} tokens`);
    }
  }
}

function toProblem({ code, message }: YAMLParseError, line: number): YamlProblem {
  if (code === "MULTIPLE_DOCS") return new YamlProblem("more than one YAML document, expected one", line);
  if (message.startsWith("Maximum call stack")) return new YamlProblem("nested too deeply", line);
  // What follows a colon may quote the text, and with it a secret.
  return new YamlProblem(`not valid YAML: ${message.split(/:\s|\n/)[0]}`, line);
}

function parse(text: string, lineCounter: LineCounter) {
  try {
    return parseDocument(text, {
      lineCounter,
      schema: "failsafe",
      resolveKnownTags: false,
      prettyErrors: false,
      uniqueKeys: false,
      logLevel: "error",
    });
  } catch (error) {
    if (error instanceof RangeError) throw new YamlProblem("nested too deeply");
    throw error;
  }
}

export { YamlProblem } from "./yaml-problem.ts";
