import { isTree, type Tree, type Value } from "./tree.ts";
import { maxDepth, YamlProblem } from "./yaml-problem.ts";

const delimiter = "::";

/**
 * The Collector takes `a::b` for `b` inside `a`, except inside lists.
 * @throws YamlProblem where that nests too deeply.
 */
export function splitKeys(tree: Tree, depth = 0): Tree {
  if (depth > maxDepth) throw new YamlProblem(`nested deeper than ${maxDepth} levels`);
  if (!hasSplitKey(tree)) return tree;
  const branch: Branch = new Map();
  for (const [key, value] of Object.entries(tree)) {
    const path = key.split(delimiter, maxDepth + 2);
    if (depth + path.length > maxDepth) throw new YamlProblem(`nested deeper than ${maxDepth} levels`);
    insert(branch, path, isTree(value) ? splitKeys(value, depth + path.length) : value);
  }
  return toTree(branch);
}

/** Whether there is anything to do, so that large maps are not copied for nothing. */
function hasSplitKey(tree: Tree): boolean {
  return Object.entries(tree).some(
    ([key, value]) => key.includes(delimiter) || (isTree(value) && hasSplitKey(value)),
  );
}

/** A map in the making: copying it for each key would take forever where there are many. */
type Branch = Map<string, Value | Branch>;

/** Maps merge, everything else replaces. */
function insert(into: Branch, [key = "", ...rest]: readonly string[], value: Value): void {
  const before = into.get(key);
  if (rest.length > 0) {
    const below = toBranch(before) ?? new Map();
    into.set(key, below);
    insert(below, rest, value);
    return;
  }
  const below = isTree(value) ? toBranch(before) : undefined;
  if (below === undefined || !isTree(value)) {
    into.set(key, value);
    return;
  }
  into.set(key, below);
  for (const [name, item] of Object.entries(value)) insert(below, [name], item);
}

function toBranch(value: Value | Branch | undefined): Branch | undefined {
  if (value instanceof Map) return value;
  return isTree(value) ? new Map(Object.entries(value)) : undefined;
}

function toTree(branch: Branch): Tree {
  return Object.fromEntries(
    [...branch].map(([key, value]) => [key, value instanceof Map ? toTree(value) : value]),
  );
}
