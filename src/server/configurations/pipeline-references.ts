import { at, isList, isTree, mapAt, type Tree } from "../../foundation/collector-yaml/tree.ts";
import type { PlacedProblem } from "./template-error.ts";

/** What looking at a configuration alone tells. */
export interface ReferenceCheck {
  /** Named in `service` and not there. */
  readonly problems: readonly PlacedProblem[];
  /** There and named nowhere, which the Collector never starts. */
  readonly warnings: readonly PlacedProblem[];
}

/** Sections that a role in a pipeline takes its components from; connectors are both ends. */
const sectionsOf = {
  receivers: ["receivers", "connectors"],
  processors: ["processors"],
  exporters: ["exporters", "connectors"],
} as const;

/** Whether every component that `service` names exists, and which are there for nothing. */
export function checkReferences(tree: Tree): ReferenceCheck {
  const problems: PlacedProblem[] = [];
  const used = new Set<string>();
  const look = (sections: readonly string[], name: unknown, place: string) => {
    const found = sections.filter((section) => Object.hasOwn(mapAt(tree, [section]), String(name)));
    for (const section of found) used.add(`${section}.${String(name)}`);
    if (found.length > 0) return;
    problems.push({ place, message: `${String(name)} is not among ${sections.join(" or ")}` });
  };
  for (const [name, pipeline] of Object.entries(mapAt(tree, ["service", "pipelines"]))) {
    if (!isTree(pipeline)) continue;
    for (const [role, sections] of Object.entries(sectionsOf)) {
      const list = pipeline[role];
      if (!isList(list)) continue;
      for (const [index, each] of list.entries()) {
        look(sections, each, `service.pipelines.${name}.${role}[${index}]`);
      }
    }
  }
  const extensions = at(tree, ["service", "extensions"]);
  for (const [index, each] of isList(extensions) ? extensions.entries() : []) {
    look(["extensions"], each, `service.extensions[${index}]`);
  }
  const kinds = ["receivers", "processors", "exporters", "connectors", "extensions"];
  const warnings = kinds.flatMap((kind) =>
    Object.keys(mapAt(tree, [kind]))
      .map((name) => `${kind}.${name}`)
      .filter((place) => !used.has(place))
      .map((place) => ({ place, message: "is not used by service" })),
  );
  return { problems, warnings };
}
