import { readFileSync } from "node:fs";
import * as z from "zod/mini";
import { describeError } from "../errors.ts";
import { expandReferences } from "./expand.ts";
import { alreadyReported, type Path, type SettingSchema } from "./field.ts";
import type { ReferenceSources } from "./references.ts";
import { findNode, isMap, type SettingValue } from "./setting-value.ts";
import { formatPath, formatProblem, SettingsError, type SettingsProblem } from "./settings-error.ts";
import { parseYamlTree } from "./yaml-tree.ts";

export interface LoadedSettings<T> {
  readonly settings: T;
  /**
   * Every text that `${env:}` and `${file:}` stood for, to be masked in logs. May hold short or common words
   * (`${env:PORT}`): whoever masks decides from which length on.
   */
  readonly secrets: ReadonlySet<string>;
  /** Such as a variable that is not set, formatted like an error. */
  readonly warnings: readonly string[];
}

/** What the loader takes from outside. Default: this process and its file system. */
export type SettingsSources = Partial<ReferenceSources>;

/**
 * Reads a YAML file, expands its references as the Collector's confmap does, and validates it; with `only`,
 * whatever else there is in the file counts as not there.
 * @throws SettingsError with every problem there is.
 */
export function loadSettingsFile<T>(
  path: string,
  schema: SettingSchema<T>,
  { env = process.env, readFile = (name) => readFileSync(name, "utf8") }: SettingsSources = {},
  only?: readonly string[],
): LoadedSettings<T> {
  const tree = parseYamlTree(readWhole(path, readFile));
  if (!tree.ok) throw new SettingsError(path, tree.problems);
  const expansion = expandReferences(pick(asMap(tree.root), only), { env, readFile });
  const problems = [...expansion.problems];
  const decoded = z.safeParse(schema, expansion.root);
  for (const issue of decoded.error?.issues ?? []) {
    if (issue.message === alreadyReported) continue;
    problems.push(locate(expansion.root, issue.path as Path, issue.message));
  }
  if (!decoded.success || problems.length > 0) throw new SettingsError(path, problems.sort(byPlace));
  const warnings = [...tree.warnings, ...expansion.warnings];
  return {
    settings: decoded.data,
    secrets: expansion.secrets,
    warnings: warnings.map((warning) => formatProblem(path, warning)),
  };
}

function readWhole(path: string, readFile: ReferenceSources["readFile"]): string {
  try {
    return readFile(path);
  } catch (error) {
    const message = `cannot read the file: ${describeError(error)}`;
    throw new SettingsError(path, [{ path: "", line: 0, column: 0, message }]);
  }
}

/** An empty file has no keys, which is for the schema to judge. */
function asMap(root: SettingValue): SettingValue {
  return root.data === null ? { ...root, data: new Map(), text: undefined } : root;
}

function pick(root: SettingValue, only: readonly string[] | undefined): SettingValue {
  if (only === undefined || !isMap(root.data)) return root;
  return { ...root, data: new Map([...root.data].filter(([key]) => only.includes(key))) };
}

function locate(root: SettingValue, path: Path, message: string): SettingsProblem {
  const { line, column } = findNode(root, path);
  return { path: formatPath(path), line, column, message };
}

function byPlace(a: SettingsProblem, b: SettingsProblem): number {
  return a.line - b.line || a.column - b.column;
}
