import { formatPath, isList, isTree, type Tree, type Value } from "../../foundation/collector-yaml/tree.ts";
import { judgeCondition } from "./condition.ts";
import { secretReference } from "./secret-reference.ts";
import { type PlacedProblem, TemplateError } from "./template-error.ts";
import type { Resolved } from "./variables.ts";

const placeholder = /\{\{\s*\.([A-Za-z_][A-Za-z0-9_]*)\s*\}\}/g;

/** A template with something in the place of its variables. */
export interface Substituted {
  readonly tree: Tree;
  /** Names of the secrets that it refers to. */
  readonly secrets: ReadonlySet<string>;
}

/**
 * Puts values in the place of `{{.name}}`. One that is the whole of a value keeps its type, one inside text (keys are text)
 * becomes text; a whole value whose variable was left out goes with its key. A map with `when: "{{.env}} == prod"` stays
 * only if that holds, without the key; a map of `when` and `value` alone stands for the value.
 * What was put in is not looked at again.
 * @throws TemplateError with every place that cannot be filled.
 */
export function substitute(template: Tree, values: ReadonlyMap<string, Resolved>): Substituted {
  const substitution = new Substitution(values);
  const tree = substitution.apply(template, []);
  if (substitution.problems.length > 0) throw new TemplateError(substitution.problems);
  if (!isTree(tree)) return { tree: {}, secrets: substitution.secrets };
  return { tree, secrets: substitution.secrets };
}

type Path = readonly string[];

class Substitution {
  readonly problems: PlacedProblem[] = [];
  readonly secrets = new Set<string>();
  readonly #values: ReadonlyMap<string, Resolved>;

  constructor(values: ReadonlyMap<string, Resolved>) {
    this.#values = values;
  }

  /** Undefined: nothing stands there. */
  apply(value: Value, path: Path): Value | undefined {
    if (typeof value === "string") return this.#scalar(value, path);
    if (isList(value)) {
      return value.flatMap((item, index) => {
        const applied = this.apply(item, [...path, `[${index}]`]);
        return applied === undefined ? [] : [applied];
      });
    }
    return isTree(value) ? this.#map(value, path) : value;
  }

  #map(tree: Tree, path: Path): Value | undefined {
    const condition = conditionOf(tree);
    if (condition !== undefined) {
      const judged = judgeCondition(condition, this.#values);
      if ("problem" in judged) this.#report([...path, "when"], judged.problem);
      else if (!judged.holds) return undefined;
      if (Object.keys(tree).length === 2 && Object.hasOwn(tree, "value")) {
        return this.apply(tree.value ?? null, path);
      }
    }
    const entries = new Map<string, Value>();
    for (const [key, value] of Object.entries(tree)) {
      if (key === "when" && condition !== undefined) continue;
      const name = this.#text(key, path);
      const applied = this.apply(value, [...path, key]);
      if (applied === undefined) continue;
      if (entries.has(name)) this.#report(path, `the key ${JSON.stringify(name)} is there twice`);
      entries.set(name, applied);
    }
    return Object.fromEntries(entries);
  }

  #scalar(text: string, path: Path): Value | undefined {
    const [whole, name] = new RegExp(`^${placeholder.source}$`).exec(text) ?? [];
    if (whole === undefined || name === undefined) return this.#text(text, path);
    const resolved = this.#resolve(name, path);
    switch (resolved.t) {
      case "value":
        return resolved.value;
      case "secret":
        return secretReference(resolved.name);
      case "absent":
        return undefined;
    }
  }

  #text(text: string, path: Path): string {
    return text.replaceAll(placeholder, (_, name: string) => {
      const resolved = this.#resolve(name, path);
      switch (resolved.t) {
        case "value":
          return String(resolved.value);
        case "secret":
          return secretReference(resolved.name);
        case "absent":
          return "";
      }
    });
  }

  #resolve(name: string, path: Path): Resolved {
    const resolved = this.#values.get(name);
    if (resolved === undefined) {
      this.#report(path, `{{.${name}}} is no variable of this template`);
      return { t: "absent" };
    }
    if (resolved.t === "secret") this.secrets.add(resolved.name);
    return resolved;
  }

  #report(path: Path, message: string): void {
    this.problems.push({ place: formatPath(path), message });
  }
}

/** Other keys of that name are the Collector's. */
function conditionOf({ when }: Tree): string | undefined {
  return typeof when === "string" && new RegExp(placeholder.source).test(when) ? when : undefined;
}
