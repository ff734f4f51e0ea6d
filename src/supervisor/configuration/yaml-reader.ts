import {
  type Alias,
  isAlias,
  isMap,
  isScalar,
  LineCounter,
  type ParsedNode,
  parseDocument,
  type Scalar,
  type YAMLMap,
} from "yaml";
import { mergeMaps } from "./merge.ts";
import { resolvePlain } from "./plain-scalar.ts";
import { isList, isTree, type Tree, type Value, withValue } from "./tree.ts";

/** Text that is not one YAML map. The message quotes keys, never values. */
export class YamlProblem extends Error {
  override readonly name = "YamlProblem";
  /** Starts at 1; undefined when it is not about one place. */
  readonly line: number | undefined;

  constructor(message: string, line?: number) {
    super(message);
    this.line = line;
  }
}

const maxDepth = 100;
/** Values that aliases may add in all; keeps a small text from growing into a huge configuration. */
const maxAliasedValues = 50_000;

/**
 * Reads one YAML document the way the Collector does (its scalars, merge keys, `a::b` for nested keys).
 * Nothing at all, or null, is an empty map.
 * @throws YamlProblem when it is malformed, not a map, has a key twice, or is nested or aliased too much.
 */
export function readYaml(text: string): Tree {
  const lines = new LineCounter();
  const document = parse(text, lines);
  const [error] = document.errors;
  if (error !== undefined) {
    const { line } = lines.linePos(error.pos[0]);
    if (error.code === "MULTIPLE_DOCS")
      throw new YamlProblem("more than one YAML document, expected one", line);
    // What follows a colon may quote the text, and with it a secret.
    throw new YamlProblem(`not valid YAML: ${error.message.split(/:\s|\n/)[0]}`, line);
  }
  const content = document.contents;
  if (content === null) return {};
  const { value } = new Builder(lines).build(content, 0);
  if (value === null) return {};
  if (isTree(value)) return splitKeys(value);
  throw new YamlProblem("not a YAML map: expected keys such as receivers:", lineOf(content, lines));
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

interface Built {
  value: Value;
  /** Values in it, itself included, with aliases followed. */
  size: number;
  /** Levels of nesting in it. */
  height: number;
}

class Builder {
  readonly #lines: LineCounter;
  readonly #anchors = new Map<string, ParsedNode>();
  readonly #built = new Map<ParsedNode, Built>();
  #aliased = 0;

  constructor(lines: LineCounter) {
    this.#lines = lines;
  }

  build(node: ParsedNode | null, depth: number): Built {
    if (node === null) return { value: null, size: 1, height: 0 };
    if (depth > maxDepth) throw this.#problem(`nested deeper than ${maxDepth} levels`, node);
    if (isAlias(node)) return this.#follow(node, depth);
    if (node.anchor !== undefined) this.#anchors.set(node.anchor, node);
    const built = this.#buildNode(node, depth);
    if (node.anchor !== undefined) this.#built.set(node, built);
    return built;
  }

  #buildNode(node: Exclude<ParsedNode, Alias.Parsed>, depth: number): Built {
    if (isScalar(node)) return { value: this.#scalar(node), size: 1, height: 0 };
    if (node.tag !== undefined && !/^(!|tag:yaml\.org,2002:(map|seq))$/.test(node.tag)) {
      throw this.#problem(`unsupported tag ${node.tag}`, node);
    }
    if (isMap(node)) return this.#map(node as YAMLMap.Parsed, depth);
    const items = node.items.map((item) => this.build(item as ParsedNode, depth + 1));
    return { value: items.map(({ value }) => value), ...measure(items) };
  }

  #map(node: YAMLMap.Parsed, depth: number): Built {
    const entries = new Map<string, Value>();
    const inherited = new Map<string, Value>();
    const parts: Built[] = [];
    for (const { key, value } of node.items) {
      const built = this.build(value, depth + 1);
      parts.push(built);
      if (isScalar(key) && key.source === "<<" && key.type === "PLAIN") {
        for (const [name, item] of this.#mergeSource(built.value, key)) {
          if (!inherited.has(name)) inherited.set(name, item);
        }
        continue;
      }
      const name = this.#key(key, node, depth);
      if (entries.has(name)) throw this.#problem(`key ${JSON.stringify(name)} is there twice`, key ?? node);
      entries.set(name, built.value);
    }
    const all = [...[...inherited].filter(([name]) => !entries.has(name)), ...entries];
    return { value: Object.fromEntries(all), ...measure(parts) };
  }

  #key(key: ParsedNode | null, map: YAMLMap.Parsed, depth: number): string {
    const target = key !== null && isAlias(key) ? this.#anchors.get(key.source) : key;
    if (target === null || target === undefined || !isScalar(target)) {
      throw this.#problem("a key that is not plain text", key ?? map);
    }
    const { value } = this.build(key, depth);
    if (value === null) throw this.#problem("a key is missing", key ?? map);
    return target.source;
  }

  #mergeSource(value: Value, key: ParsedNode): [string, Value][] {
    const sources = isList(value) ? value : [value];
    return sources.flatMap((source) => {
      if (!isTree(source)) throw this.#problem("<< needs a map or a list of maps", key);
      return Object.entries(source);
    });
  }

  #follow(alias: Alias.Parsed, depth: number): Built {
    const target = this.#anchors.get(alias.source);
    if (target === undefined) throw this.#problem(`alias *${alias.source} has no anchor before it`, alias);
    const built = this.#built.get(target);
    if (built === undefined) throw this.#problem(`alias *${alias.source} contains itself`, alias);
    this.#aliased += built.size;
    if (this.#aliased > maxAliasedValues) throw this.#problem("too many aliases", alias);
    if (depth + built.height > maxDepth) throw this.#problem(`nested deeper than ${maxDepth} levels`, alias);
    return built;
  }

  #scalar(node: Scalar.Parsed): Value {
    const { source, tag } = node;
    const plain = node.type === "PLAIN";
    if (tag === undefined) return plain ? resolvePlain(source) : source;
    const value = retag(source, tag);
    if (value === undefined) throw this.#problem(`tag ${tag} does not fit or is not supported`, node);
    return value;
  }

  #problem(message: string, node: ParsedNode): YamlProblem {
    return new YamlProblem(message, lineOf(node, this.#lines));
  }
}

/** The value that an explicit tag asks for; undefined when the text is not of that type. */
function retag(source: string, tag: string): Value | undefined {
  const value = resolvePlain(source);
  switch (tag.replace("tag:yaml.org,2002:", "!!")) {
    case "!":
    case "!!str":
      return source;
    case "!!int":
      return typeof value === "bigint" ? value : undefined;
    case "!!float":
      return typeof value === "bigint" ? Number(value) : typeof value === "number" ? value : undefined;
    case "!!bool":
      return typeof value === "boolean" ? value : undefined;
    case "!!null":
      return value === null ? value : undefined;
    default:
      return undefined;
  }
}

function measure(parts: readonly Built[]): { size: number; height: number } {
  let size = 1;
  let height = 0;
  for (const part of parts) {
    size += part.size;
    height = Math.max(height, part.height);
  }
  return { size, height: height + 1 };
}

function lineOf(node: ParsedNode, lines: LineCounter): number {
  return lines.linePos(node.range[0]).line;
}

/** The Collector takes `a::b` for `b` inside `a`, except inside lists. */
function splitKeys(tree: Tree): Tree {
  let split: Tree = {};
  for (const [key, value] of Object.entries(tree)) {
    const item = isTree(value) ? splitKeys(value) : value;
    split = mergeMaps(split, withValue({}, key.split("::"), item));
  }
  return split;
}
