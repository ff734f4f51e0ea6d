import type { Path } from "./field.ts";
import { findReference, type ReferenceSources, resolveReference } from "./references.ts";
import { isList, isMap, type SettingValue } from "./setting-value.ts";
import { formatPath, type SettingsProblem } from "./settings-error.ts";
import { parseYamlTree } from "./yaml-tree.ts";

/** As many rounds as the Collector's confmap makes on one value. */
const maxRounds = 1_000;
/** Bounds what files that include each other can grow to. */
const maxReferences = 10_000;
const maxDepth = 100;
const maxTextLength = 4 * 1024 * 1024;

export interface Expansion {
  readonly root: SettingValue;
  readonly problems: readonly SettingsProblem[];
  readonly warnings: readonly SettingsProblem[];
  /** Every text that a reference gave, whole and in the parts it can be used in. */
  readonly secrets: ReadonlySet<string>;
}

/**
 * Expands every reference in values (not in keys) as the Collector's confmap does: one that is the whole
 * value is parsed as YAML, an embedded one is text, what comes out is expanded again, `$$` becomes `$` last.
 */
export function expandReferences(root: SettingValue, sources: ReferenceSources): Expansion {
  const expander = new Expander(sources);
  return {
    root: expander.expand(root, []),
    problems: expander.problems,
    warnings: expander.warnings,
    secrets: expander.secrets,
  };
}

class Expander {
  readonly problems: SettingsProblem[] = [];
  readonly warnings: SettingsProblem[] = [];
  readonly secrets = new Set<string>();
  readonly #sources: ReferenceSources;
  #references = 0;
  #depth = 0;
  /** Once a limit was hit nothing more is worth the work: the file is refused. */
  #exhausted = false;

  constructor(sources: ReferenceSources) {
    this.#sources = sources;
  }

  expand(value: SettingValue, path: Path): SettingValue {
    const { data } = value;
    // Keys that came from a reference must not be named, so that the path ends at the reference.
    const at = (step: string | number): Path => (value.origin === undefined ? [...path, step] : path);
    if (isMap(data)) {
      return { ...value, data: new Map([...data].map(([key, child]) => [key, this.expand(child, at(key))])) };
    }
    if (isList(data)) return { ...value, data: data.map((item, index) => this.expand(item, at(index))) };
    if (typeof data === "string") return this.#expandScalar(value, data, path);
    if (value.origin !== undefined && value.text !== undefined) this.#keepSecret(value.text);
    return value;
  }

  #expandScalar(value: SettingValue, literal: string, path: Path): SettingValue {
    let text = literal;
    let origin = value.origin;
    for (let round = 0; round <= maxRounds; round += 1) {
      const reference = findReference(text);
      if (reference === undefined) return this.#finish(value, text, origin);
      // What a reference contains came from outside the file and must not be named.
      const written = value.origin === undefined && literal.includes(reference);
      const resolved = this.#resolve(reference, value, path, written ? undefined : origin);
      if (resolved === undefined) return { ...value, origin, broken: true };
      origin ??= resolved.name;
      if (reference === text) {
        const parsed = parseYamlTree(resolved.text);
        if (parsed.ok && typeof parsed.root.data !== "string") {
          return this.#adopt(resolved.text, moveTo(parsed.root, value, origin), path);
        }
        text = resolved.text;
      } else {
        text = text.replaceAll(reference, () => resolved.text);
      }
      if (text.length > maxTextLength) break;
    }
    this.#report(this.problems, value, path, `${origin ?? "a reference"}: too many recursive expansions`);
    return { ...value, origin, broken: true };
  }

  #finish(value: SettingValue, text: string, origin: string | undefined): SettingValue {
    const plain = unescapeDollars(text);
    if (origin !== undefined) this.#keepSecret(plain);
    return { ...value, data: plain, text: plain, origin };
  }

  /** What a whole-value reference gave, when it is no text: takes the place of the reference. */
  #adopt(text: string, moved: SettingValue, path: Path): SettingValue {
    this.#depth += 1;
    const { data } = this.expand(moved, path);
    this.#depth -= 1;
    if (!isMap(data) && !isList(data)) return { ...moved, text: unescapeDollars(text) };
    const asText = text.includes("${") ? this.#expandQuietly(text, moved, path) : unescapeDollars(text);
    return { ...moved, data, text: asText };
  }

  /** The text beside the data matters only to fields of text, so that a failure here is none of the file. */
  #expandQuietly(text: string, place: SettingValue, path: Path): string | undefined {
    const before = [this.problems.length, this.warnings.length, this.#references, this.#exhausted] as const;
    const { data, broken } = this.#expandScalar(place, text, path);
    [this.problems.length, this.warnings.length, this.#references, this.#exhausted] = before;
    return typeof data === "string" && !broken ? data : undefined;
  }

  #resolve(reference: string, value: SettingValue, path: Path, hiddenBehind: string | undefined) {
    this.#references += 1;
    if (this.#exhausted) return undefined;
    if (this.#references > maxReferences || this.#depth > maxDepth) {
      this.#exhausted = true;
      this.#report(this.problems, value, path, "too many recursive expansions");
      return undefined;
    }
    const resolved = resolveReference(reference, this.#sources);
    if (!resolved.ok) {
      const hidden = `the value of ${hiddenBehind} holds a reference that cannot be resolved`;
      this.#report(this.problems, value, path, hiddenBehind === undefined ? resolved.message : hidden);
      return undefined;
    }
    if (resolved.unsetVariable) {
      const name = hiddenBehind === undefined ? resolved.name : `a reference in the value of ${hiddenBehind}`;
      this.#report(this.warnings, value, path, `${name} is not set; it is taken as empty`);
    }
    this.#keepSecret(resolved.text);
    return resolved;
  }

  #report(list: SettingsProblem[], { line, column }: SettingValue, path: Path, message: string): void {
    list.push({ path: formatPath(path), line, column, message });
  }

  /** Fields split at commas and trim, so that the parts must be known as well. */
  #keepSecret(text: string): void {
    const forms = [text, unescapeDollars(text)];
    for (const part of forms.flatMap((form) => [form, form.trim(), ...form.split(",")])) {
      if (part.trim() !== "") this.secrets.add(part).add(part.trim());
    }
  }
}

function unescapeDollars(text: string): string {
  return text.replaceAll("$$", "$");
}

function moveTo(value: SettingValue, { line, column }: SettingValue, origin: string): SettingValue {
  const data = isMap(value.data)
    ? new Map([...value.data].map(([key, child]) => [key, moveTo(child, { ...value, line, column }, origin)]))
    : isList(value.data)
      ? value.data.map((item) => moveTo(item, { ...value, line, column }, origin))
      : value.data;
  return { ...value, data, line, column, origin };
}
