import { isDeepStrictEqual } from "node:util";
import { at, child, isList, isTree, type Tree, type Value, withValue } from "./tree.ts";

const serviceExtensions = ["service", "extensions"];

/**
 * Lays `later` over `earlier` as the reference does: maps merge, everything else replaces, null and
 * lists too. Only the two lists of `service.extensions` become one, without repeats.
 */
export function mergeConfigurations(earlier: Tree, later: Tree): Tree {
  const merged = mergeMaps(earlier, later);
  const before = at(earlier, serviceExtensions);
  const after = at(later, serviceExtensions);
  if (!isList(before) || !isList(after)) return merged;
  return withValue(merged, serviceExtensions, union(before, after));
}

/** Lays `later` over `earlier`; maps merge, everything else replaces. */
export function mergeMaps(earlier: Tree, later: Tree): Tree {
  // Most sections have one source: no copies of what may be large.
  if (Object.keys(earlier).length === 0) return later;
  const merged = new Map<string, Value>(Object.entries(earlier));
  for (const [key, value] of Object.entries(later)) {
    const below = child(earlier, key);
    merged.set(key, isTree(below) && isTree(value) ? mergeMaps(below, value) : value);
  }
  return Object.fromEntries(merged);
}

function union(before: readonly Value[], after: readonly Value[]): Value[] {
  const all: Value[] = [];
  for (const value of [...before, ...after]) {
    if (!all.some((known) => isDeepStrictEqual(known, value))) all.push(value);
  }
  return all;
}
