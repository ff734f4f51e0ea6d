import { isDeepStrictEqual } from "node:util";
import {
  at,
  formatPath,
  isList,
  isTree,
  type Tree,
  type Value,
} from "../../../foundation/collector-yaml/tree.ts";
import { type CompositionInput, compose } from "../../configuration/compose.ts";
import { sourceOrder } from "../../configuration/order.ts";
import { type Layer, type Origin, OriginTracer } from "../../configuration/origin.ts";
import { redact } from "../../configuration/redact.ts";
import { findReferences, parseEnvironmentReference } from "../../configuration/references.ts";

/** Where one part of the effective configuration comes from. Values are redacted. */
export interface Explained {
  /** Keys from the root, joined by dots. */
  key: string;
  /** Of a single value; a map has its parts. */
  value?: Value;
  origins: Explanation[];
  /** Earlier sources that say something else; the last one was overridden last. */
  overridden: { origin: Explanation; value: Value }[];
  /** Names in `${env:NAME}` that the Collector puts in itself. */
  environment: string[];
  /** The sources of today do not give this value: something has changed since it was merged. */
  outdated: boolean;
}

/** An origin, or what is put in whatever the sources say. */
export type Explanation = Origin | { t: "supervisor" };

/** The effective configuration, and how it came to be. */
export class EffectiveConfiguration {
  readonly #effective: Tree;
  readonly #redacted: Tree;
  readonly #composed: Tree;
  readonly #labelled: Tree;
  readonly #tracer = new OriginTracer();
  readonly #rank: (layer: Layer) => number;

  /** `effective` is what runs, `input` what it was merged from. @throws ConfigurationError */
  constructor(effective: Tree, input: CompositionInput) {
    this.#effective = effective;
    this.#redacted = redact(effective);
    this.#composed = compose(input).tree;
    this.#labelled = compose(input, this.#tracer.trace).tree;
    const order = sourceOrder(input.configFiles);
    this.#rank = ({ origin }) => {
      const kind = origin.t === "telemetry-defaults" ? "own-telemetry" : origin.t;
      const place = order.findIndex(
        (source) =>
          source.t === kind && (source.t !== "file" || (origin.t === "file" && source.path === origin.path)),
      );
      // Entries of one source are in their order already.
      return place * 10_000 + this.#tracer.layers.findIndex((layer) => layer.origin === origin);
    };
  }

  /** Whether all of it is what the sources give today. */
  get isUpToDate(): boolean {
    return isDeepStrictEqual(this.#effective, this.#composed);
  }

  /** Each part: a component of a section, or a key that is no section of such. */
  get parts(): Explained[] {
    return Object.entries(this.#effective).flatMap(([section, value]) =>
      isTree(value) && Object.keys(value).length > 0
        ? Object.keys(value).map((name) => this.#explain([section, name]))
        : [this.#explain([section])],
    );
  }

  /** A value, or every value below a key; undefined where there is no such key. */
  explain(key: string): Explained[] | undefined {
    const path = this.findPath(key);
    if (path === undefined) return undefined;
    return [...leafPaths(at(this.#effective, path) ?? null, path)].map((leaf) => this.#explain(leaf));
  }

  /** Keys that contain dots themselves are found, and `::` parts keys as well. */
  findPath(key: string): readonly string[] | undefined {
    return resolve(this.#effective, key.split(/\.|::/));
  }

  /** Sources that say something at a key that did not come to be. */
  saidElsewhere(key: string): Origin[] {
    return this.#tracer.layers
      .filter(({ tree }) => resolve(tree, key.split(/\.|::/)) !== undefined)
      .map(({ origin }) => origin);
  }

  #explain(path: readonly string[]): Explained {
    const value = at(this.#effective, path) ?? null;
    const label = at(this.#labelled, path);
    const sayers = this.#tracer.layers
      .filter(({ tree }) => at(tree, path) !== undefined)
      .sort((a, b) => this.#rank(a) - this.#rank(b));
    const winners = this.#winners(value, label, sayers);
    const isMap = isTree(value) && Object.keys(value).length > 0;
    const overridden = isMap ? [] : sayers.filter((layer) => !winners.includes(layer));
    const forced = this.#tracer.isForced(label) && !(isTree(value) && winners.length > 0);
    return {
      key: formatPath(path),
      ...(!isMap && { value: at(this.#redacted, path) ?? null }),
      origins: [
        ...winners.map(({ origin }) => origin),
        ...(forced || winners.length === 0 ? [{ t: "supervisor" } as const] : []),
      ],
      overridden: overridden.map(({ origin, tree }) => ({ origin, value: at(redact(tree), path) ?? null })),
      environment: [...new Set(environmentOf(value))],
      outdated: !isDeepStrictEqual(value, at(this.#composed, path)),
    };
  }

  #winners(value: Value, label: Value | undefined, sayers: readonly Layer[]): Layer[] {
    const winners = this.#tracer.layersOf(label);
    // An empty map has nothing that could be labelled.
    const last = isTree(value) && Object.keys(value).length === 0 ? sayers.at(-1) : undefined;
    return last !== undefined && winners.length === 0
      ? [last]
      : winners.sort((a, b) => this.#rank(a) - this.#rank(b));
  }
}

/** The paths of every value that is no map, or an empty one. A list is one value. */
function* leafPaths(value: Value, path: readonly string[]): Generator<readonly string[]> {
  if (!isTree(value) || Object.keys(value).length === 0) yield path;
  else for (const key of Object.keys(value)) yield* leafPaths(value[key] ?? null, [...path, key]);
}

function resolve(tree: Tree, words: readonly string[]): readonly string[] | undefined {
  for (let count = words.length; count > 0; count -= 1) {
    const key = words.slice(0, count).join(".");
    if (!Object.hasOwn(tree, key)) continue;
    const rest = words.slice(count);
    if (rest.length === 0) return [key];
    const below = tree[key];
    const found = isTree(below) ? resolve(below, rest) : undefined;
    if (found !== undefined) return [key, ...found];
  }
  return undefined;
}

function* environmentOf(value: Value): Generator<string> {
  if (typeof value === "string") {
    for (const { scheme, body } of findReferences(value))
      if (scheme === "env") yield parseEnvironmentReference(body).name;
  } else if (isList(value)) {
    for (const item of value) yield* environmentOf(item);
  } else if (isTree(value)) {
    for (const item of Object.values(value)) yield* environmentOf(item);
  }
}
