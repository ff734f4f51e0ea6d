import { type Alias, isAlias, isMap, isScalar, type ParsedNode, type Scalar, type YAMLMap } from "yaml";
import { resolvePlain } from "./plain-scalar.ts";
import { isList, isTree, type Value } from "./tree.ts";
import { maxDepth, YamlProblem } from "./yaml-problem.ts";

/** Values that aliases may add in all; keeps a small text from growing into a huge configuration. */
const maxAliasedValues = 50_000;
/** A longer text counts as so many values: aliases repeat it. */
const charactersPerValue = 64;

interface Anchored {
  /** Of a scalar, which may be a key elsewhere. */
  source: string | undefined;
  /** Undefined while it is being built. */
  built: Built | undefined;
}

export interface Built {
  value: Value;
  /** Values in it, itself included, with aliases followed. */
  size: number;
  /** Levels of nesting in it. */
  height: number;
}

/** Values of parsed nodes. Anchors are kept from one text to the next. */
export class Builder {
  readonly #anchors = new Map<string, Anchored>();
  #aliased = 0;
  #lineAt: (offset: number) => number = () => 0;

  build(node: ParsedNode, depth: number, lineAt: (offset: number) => number): Built {
    this.#lineAt = lineAt;
    return this.#build(node, depth);
  }

  #build(node: ParsedNode | null, depth: number): Built {
    if (node === null) return { value: null, size: 1, height: 0 };
    if (depth > maxDepth) throw this.#problem(`nested deeper than ${maxDepth} levels`, node);
    if (isAlias(node)) return this.#follow(node, depth);
    if (node.anchor === undefined) return this.#buildNode(node, depth);
    const anchored: Anchored = { source: isScalar(node) ? node.source : undefined, built: undefined };
    this.#anchors.set(node.anchor, anchored);
    anchored.built = this.#buildNode(node, depth);
    return anchored.built;
  }

  #buildNode(node: Exclude<ParsedNode, Alias.Parsed>, depth: number): Built {
    if (isScalar(node)) return { value: this.#scalar(node), size: sizeOf(node.source), height: 0 };
    if (node.tag !== undefined && !/^(!|tag:yaml\.org,2002:(map|seq))$/.test(node.tag)) {
      throw this.#problem(`unsupported tag ${node.tag}`, node);
    }
    if (isMap(node)) return this.#map(node as YAMLMap.Parsed, depth);
    const items = node.items.map((item) => this.#build(item as ParsedNode, depth + 1));
    return { value: items.map(({ value }) => value), ...measure(items) };
  }

  #map(node: YAMLMap.Parsed, depth: number): Built {
    const entries = new Map<string, Value>();
    const inherited = new Map<string, Value>();
    const parts: Built[] = [];
    for (const { key, value } of node.items) {
      const built = this.#build(value, depth + 1);
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
      parts.push({ value: null, size: sizeOf(name) - 1, height: 0 });
    }
    const all = [...[...inherited].filter(([name]) => !entries.has(name)), ...entries];
    return { value: Object.fromEntries(all), ...measure(parts) };
  }

  #key(key: ParsedNode | null, map: YAMLMap.Parsed, depth: number): string {
    const source = key !== null && isAlias(key) ? this.#anchors.get(key.source)?.source : sourceOf(key);
    if (source === undefined) throw this.#problem("a key that is not plain text", key ?? map);
    if (this.#build(key, depth).value === null) throw this.#problem("a key is missing", key ?? map);
    return source;
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
    const { built } = target;
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
    return new YamlProblem(message, this.#lineAt(node.range[0]));
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

function sizeOf(text: string): number {
  return 1 + Math.floor(text.length / charactersPerValue);
}

function sourceOf(node: ParsedNode | null): string | undefined {
  return node !== null && isScalar(node) ? node.source : undefined;
}
