import { mergeConfigurations } from "../../foundation/collector-yaml/merge.ts";
import type { Tree } from "../../foundation/collector-yaml/tree.ts";
import { writeYaml } from "../../foundation/collector-yaml/yaml-writer.ts";
import { readTemplate } from "./config-template.ts";
import { type Configuration, createConfiguration } from "./configuration.ts";
import { checkReferences, type ReferenceCheck } from "./pipeline-references.ts";
import { substitute } from "./substitute.ts";
import { type PlacedProblem, TemplateError } from "./template-error.ts";
import { resolveValues, type Values } from "./variables.ts";
import type { Version, VersionContent } from "./versions.ts";

/** One part of what is to run, and the values for its variables. */
export interface Layer {
  readonly version: VersionContent & Partial<Pick<Version, "name" | "number">>;
  readonly values: Values;
}

/** What layers have come to. */
export interface Rendering {
  readonly configuration: Configuration;
  readonly check: ReferenceCheck;
}

/**
 * One configuration of layers, each later one over those before it: maps merge, everything else replaces, lists too. A
 * single one that is no template is passed on as it was posted, comments, signature and all.
 * @throws TemplateError with everything that is wrong.
 */
export function renderLayers(layers: readonly Layer[]): Rendering {
  const secrets = new Set<string>();
  const problems: PlacedProblem[] = [];
  let tree: Tree = {};
  for (const layer of layers) {
    try {
      const rendered = renderLayer(layer);
      for (const name of rendered.secrets) secrets.add(name);
      tree = mergeConfigurations(tree, rendered.tree);
    } catch (error) {
      if (!(error instanceof TemplateError)) throw error;
      problems.push(...(layers.length === 1 ? error.problems : error.problems.map(inLayer(layer))));
    }
  }
  if (problems.length > 0) throw new TemplateError(problems);
  const [first, second] = layers;
  const isPlain = first !== undefined && second === undefined && first.version.variables === undefined;
  const entries = isPlain
    ? first.version.entries
    : { "": { body: Buffer.from(writeYaml(tree)), contentType: "text/yaml" } };
  return { configuration: createConfiguration(entries, [...secrets].sort()), check: checkReferences(tree) };
}

function renderLayer({ version: { entries, variables }, values }: Layer) {
  const resolved = resolveValues(variables ?? {}, values);
  // By name, the one without a name last, as a supervisor merges them.
  const names = Object.keys(entries).sort((a, b) =>
    a === "" ? 1 : b === "" ? -1 : Buffer.compare(Buffer.from(a), Buffer.from(b)),
  );
  const tree = names
    .map((name) => readTemplate(new TextDecoder().decode(entries[name]?.body)))
    .reduce<Tree>((merged, each) => mergeConfigurations(merged, each), {});
  return variables === undefined ? { tree, secrets: new Set<string>() } : substitute(tree, resolved);
}

function inLayer({ version: { name = "" } }: Layer) {
  return ({ place, message }: PlacedProblem): PlacedProblem => ({ place: `${name}: ${place}`, message });
}
