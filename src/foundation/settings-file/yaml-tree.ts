import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  type Scalar,
  type YAMLError,
  type YAMLMap,
} from "yaml";
import type { SettingData, SettingValue } from "./setting-value.ts";
import type { SettingsProblem } from "./settings-error.ts";

/** A file with more nodes than this is no settings file but a bomb of aliases. */
const maxNodes = 100_000;
/** Nor is one that is nested more deeply, as only an alias within its own anchor is. */
const maxDepth = 200;

export type YamlTree =
  | { ok: true; root: SettingValue; warnings: SettingsProblem[] }
  | { ok: false; problems: SettingsProblem[] };

/**
 * Reads YAML (1.2 core, merge keys as in 1.1, keys once each, one document) into setting values that know
 * their place. Nothing is expanded yet.
 */
export function parseYamlTree(text: string): YamlTree {
  const lineCounter = new LineCounter();
  // prettyErrors would quote the line, and a line may hold a secret.
  const document = parseDocument(text, { lineCounter, merge: true, prettyErrors: false });
  const toProblem = (error: YAMLError): SettingsProblem => {
    const { line, col } = lineCounter.linePos(error.pos[0]);
    return { path: "", line, column: col, message: `invalid YAML: ${error.message}` };
  };
  if (document.errors.length > 0) {
    // After the first mistake the rest of the file is a long list of unexpected tokens.
    const telling = document.errors.filter(({ code }, index) => index === 0 || code !== "UNEXPECTED_TOKEN");
    return { ok: false, problems: telling.map(toProblem) };
  }
  const reader = new TreeReader(document, lineCounter);
  const root = reader.read(document.contents, { line: 1, column: 1 });
  if (reader.problems.length > 0) return { ok: false, problems: reader.problems };
  return { ok: true, root, warnings: document.warnings.map(toProblem) };
}

interface Place {
  readonly line: number;
  readonly column: number;
}

class TreeReader {
  readonly problems: SettingsProblem[] = [];
  readonly #document: Document;
  readonly #lineCounter: LineCounter;
  #nodes = 0;
  #depth = 0;

  constructor(document: Document, lineCounter: LineCounter) {
    this.#document = document;
    this.#lineCounter = lineCounter;
  }

  read(node: unknown, place: Place): SettingValue {
    this.#nodes += 1;
    if (this.#nodes > maxNodes || this.#depth > maxDepth) {
      if (this.problems.length === 0) this.#report(place, "too many values, or nested too deeply");
      return this.#value(null, "", place);
    }
    this.#depth += 1;
    const value = this.#read(node, place);
    this.#depth -= 1;
    return value;
  }

  #read(node: unknown, place: Place): SettingValue {
    if (isAlias(node)) {
      const target = node.resolve(this.#document);
      if (target !== undefined) return this.read(target, place);
      this.#report(place, "an alias without its anchor before it");
    }
    if (isMap(node)) return this.#value(this.#entries(node), undefined, place);
    if (isSeq(node)) {
      const items = node.items.map((item) => this.read(item, this.#placeOf(item, place)));
      return this.#value(items, undefined, place);
    }
    if (isScalar(node)) return this.#scalar(node, place);
    return this.#value(null, "", place);
  }

  #scalar({ value, source }: Scalar, place: Place): SettingValue {
    if (value === null || value === undefined) return this.#value(null, "", place);
    if (typeof value === "number" || typeof value === "boolean") {
      return this.#value(value, source ?? String(value), place);
    }
    const text = typeof value === "string" ? value : (source ?? "");
    return this.#value(text, text, place);
  }

  #entries(node: YAMLMap): Map<string, SettingValue> {
    const entries = new Map<string, SettingValue>();
    const merged: SettingValue[] = [];
    for (const pair of node.items) {
      const place = this.#placeOf(pair.key, { line: 1, column: 1 });
      const key = keyOf(pair);
      if (key === undefined) this.#report(place, "expected a key of plain text");
      else if (key === mergeKey) merged.push(this.read(pair.value, place));
      else entries.set(key, this.read(pair.value, place));
    }
    // Own keys win over merged ones, earlier merged maps over later ones.
    for (const { data } of merged.flatMap((value) => (Array.isArray(value.data) ? value.data : [value]))) {
      if (!(data instanceof Map)) continue;
      for (const [key, value] of data) if (!entries.has(key)) entries.set(key, value);
    }
    return entries;
  }

  #placeOf(node: unknown, otherwise: Place): Place {
    const start = (node as Node | null)?.range?.[0];
    if (start === undefined) return otherwise;
    const { line, col } = this.#lineCounter.linePos(start);
    return { line, column: col };
  }

  #value(data: SettingData, text: string | undefined, { line, column }: Place): SettingValue {
    return { data, text, origin: undefined, line, column, broken: false };
  }

  #report({ line, column }: Place, message: string): void {
    this.problems.push({ path: "", line, column, message: `invalid YAML: ${message}` });
  }
}

const mergeKey = Symbol("<<");

function keyOf({ key }: Pair): string | typeof mergeKey | undefined {
  if (!isScalar(key)) return undefined;
  if (typeof key.value === "symbol") return mergeKey;
  if (typeof key.value === "string") return key.value;
  return key.source ?? String(key.value);
}
