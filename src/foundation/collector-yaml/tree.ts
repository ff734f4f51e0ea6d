/**
 * A value of a Collector configuration. YAML integers are `bigint` and floats `number`, because the
 * Collector tells `1` from `1.0`. Treat as immutable: merged trees share parts.
 */
export type Value = null | boolean | bigint | number | string | readonly Value[] | Tree;

/** A YAML map whose keys are text, as the Collector's confmap has it. */
export interface Tree {
  readonly [key: string]: Value;
}

export function isTree(value: Value | undefined): value is Tree {
  return typeof value === "object" && value !== null && !isList(value);
}

export function isList(value: Value | undefined): value is readonly Value[] {
  return Array.isArray(value);
}

/** The value under a key; never something inherited, such as `constructor`. */
export function child(tree: Tree, key: string): Value | undefined {
  return Object.hasOwn(tree, key) ? tree[key] : undefined;
}

/** The value at a path of keys, or undefined when there is none. */
export function at(value: Value | undefined, path: readonly string[]): Value | undefined {
  let found = value;
  for (const key of path) {
    if (!isTree(found)) return undefined;
    found = child(found, key);
  }
  return found;
}

/** The map at a path, empty when there is none. */
export function mapAt(tree: Tree, path: readonly string[]): Tree {
  const found = at(tree, path);
  return isTree(found) ? found : {};
}

/** A copy with the value at the path replaced, maps made where they are missing. */
export function withValue(tree: Tree, path: readonly string[], value: Value): Tree {
  const [key, ...rest] = path;
  if (key === undefined) return isTree(value) ? value : tree;
  return withKey(tree, key, rest.length === 0 ? value : withValue(mapAt(tree, [key]), rest, value));
}

/** A copy without the value at the path. */
export function without(tree: Tree, path: readonly string[]): Tree {
  const [key, ...rest] = path;
  if (key === undefined || !Object.hasOwn(tree, key)) return tree;
  if (rest.length === 0) return Object.fromEntries(Object.entries(tree).filter(([name]) => name !== key));
  const inner = child(tree, key);
  return isTree(inner) ? withKey(tree, key, without(inner, rest)) : tree;
}

// A computed key, unlike assignment, makes even `__proto__` an ordinary one.
function withKey(tree: Tree, key: string, value: Value): Tree {
  return { ...tree, [key]: value };
}

/** One scalar of a tree and the keys that lead to it; list positions are like `[0]`. */
export interface Leaf {
  path: readonly string[];
  value: Exclude<Value, Tree | readonly Value[]>;
}

/** Every scalar of a value, in order. Empty maps and lists have none. */
export function* leaves(value: Value, path: readonly string[] = []): Generator<Leaf> {
  if (isList(value)) {
    for (const [index, item] of value.entries()) yield* leaves(item, [...path, `[${index}]`]);
  } else if (isTree(value)) {
    for (const key of Object.keys(value)) yield* leaves(value[key] ?? null, [...path, key]);
  } else {
    yield { path, value };
  }
}

/** `receivers.otlp.protocols`, `exporters.otlp.endpoints[0]`. */
export function formatPath(path: readonly string[]): string {
  return path.join(".").replaceAll(".[", "[");
}
