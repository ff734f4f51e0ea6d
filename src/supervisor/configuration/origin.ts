import { isList, isTree, type Tree, type Value } from "../../foundation/collector-yaml/tree.ts";

/** Where a part of a merged configuration comes from. */
export type Origin =
  /** An entry of the remote configuration; the unnamed one is "". */
  | { t: "remote"; entry: string }
  | { t: "file"; path: string }
  /** Offered by the server as connection settings of own telemetry. */
  | { t: "own-telemetry" }
  /** Ours, for whatever no other source says: JSON logs and the resource of own telemetry. */
  | { t: "telemetry-defaults" }
  /** Ours, what ties the Collector to its supervisor. */
  | { t: "opamp-extension" };

/** Called with every source before it is merged; what it returns is merged in its place. */
export type Trace = (tree: Tree, origin: Origin) => Tree;

/** A source as it was merged. */
export interface Layer {
  origin: Origin;
  tree: Tree;
}

const start = "\u0000origin:";

/**
 * Finds out where values come from by having the real merge merge labels in their place: each value of a source
 * becomes the label of that source, maps stay maps. A list is one value, but for `service.extensions`, whose items
 * may come from several.
 */
export class OriginTracer {
  readonly layers: Layer[] = [];

  readonly trace: Trace = (tree, origin) => {
    const number = this.layers.push({ origin, tree }) - 1;
    return labelMap(tree, `${start}${number}`, []);
  };

  /** Of a value of the traced merge: its sources; none of those put in for want of any other, or to keep the link. */
  layersOf(value: Value | undefined): Layer[] {
    const found = new Set<Layer>();
    this.#collect(value, found);
    return [...found];
  }

  /** Whether a part of it was put in whatever the sources say. */
  isForced(value: Value | undefined): boolean {
    if (isList(value)) return value.every((item) => this.isForced(item));
    if (isTree(value)) return Object.values(value).some((item) => this.isForced(item));
    return this.#layerOf(value) === undefined;
  }

  #collect(value: Value | undefined, found: Set<Layer>): void {
    const below = isList(value) ? value : isTree(value) ? Object.values(value) : undefined;
    for (const item of below ?? []) this.#collect(item, found);
    const layer = below === undefined ? this.#layerOf(value) : undefined;
    if (layer !== undefined) found.add(layer);
  }

  #layerOf(value: Value | undefined): Layer | undefined {
    if (typeof value !== "string" || !value.startsWith(start)) return undefined;
    return this.layers[Number(/^\d+/.exec(value.slice(start.length))?.[0])];
  }
}

function labelMap(tree: Tree, label: string, path: readonly string[]): Tree {
  const entries = Object.entries(tree).map(([key, value]): [string, Value] => {
    const below = [...path, key];
    // An empty map stays one: it replaces no map, and a label would.
    if (isTree(value)) return [key, labelMap(value, label, below)];
    const isUnion = isList(value) && below.join(".") === "service.extensions";
    return [key, isUnion ? value.map((_item, index) => `${label} ${index}`) : label];
  });
  return Object.fromEntries(entries);
}
