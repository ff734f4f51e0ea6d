import { mergeConfigurations } from "../../foundation/collector-yaml/merge.ts";
import { at, isTree, type Tree } from "../../foundation/collector-yaml/tree.ts";
import { YamlProblem } from "../../foundation/collector-yaml/yaml-problem.ts";
import { readYaml } from "../../foundation/collector-yaml/yaml-reader.ts";
import type { AgentConfigMap } from "../../opamp/messages.ts";
import { configurationEntries } from "../trust/signed-entries.ts";
import { ConfigurationError } from "./configuration-error.ts";
import type { Trace } from "./origin.ts";

/**
 * Largest remote configuration, all entries together, whatever the restrictions say. Measured with the
 * launcher's flags: merging alone takes twice as much, and a supervisor that applies one of this size after
 * another has 200 MB at the highest.
 */
const mostRemoteConfigBytes = 4 * 1024 * 1024;

/**
 * A configuration from one text.
 * @throws YamlProblem also when a section in which the `opamp` extension must have a place is no map.
 */
export function readSource(text: string): Tree {
  const tree = readYaml(text);
  for (const path of [["service"], ["extensions"], ["extensions", "opamp"]]) {
    const section = at(tree, path);
    if (section !== undefined && section !== null && !isTree(section)) {
      throw new YamlProblem(`${path.join(".")} is not a map`);
    }
  }
  return tree;
}

/**
 * The entries of a remote configuration merged into one, by name, the unnamed one last.
 * Content types are ignored, as in the reference, but for entries that are about trust: those are left out.
 * @throws ConfigurationError for the first entry that is not a YAML map, or when all are too large.
 */
export function readRemote(remote: AgentConfigMap, maxBytes = Infinity, trace: Trace = (tree) => tree): Tree {
  const entries = Object.entries(configurationEntries(remote)).sort(([a], [b]) => compareNames(a, b));
  const bytes = entries.reduce((sum, [, { body }]) => sum + body.length, 0);
  const problem = sizeProblem(bytes, maxBytes);
  if (problem !== undefined) throw new ConfigurationError(problem, { entry: undefined, line: undefined });
  return entries
    .map(([entry, { body }]) => trace(readEntry(entry, body), { t: "remote", entry }))
    .reduce<Tree>((merged, tree) => mergeConfigurations(merged, tree), {});
}

function sizeProblem(bytes: number, maxBytes: number): string | undefined {
  if (bytes > maxBytes) return `too large, ${bytes} bytes where ${maxBytes} are allowed`;
  if (bytes <= mostRemoteConfigBytes) return undefined;
  return `too large, ${bytes} bytes where this program can merge ${mostRemoteConfigBytes}`;
}

function compareNames(a: string, b: string): number {
  if (a === "" || b === "") return a === b ? 0 : a === "" ? 1 : -1;
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function readEntry(entry: string, body: Uint8Array): Tree {
  try {
    return readSource(decode(body));
  } catch (error) {
    if (!(error instanceof YamlProblem)) throw error;
    throw new ConfigurationError(error.message, { entry, line: error.line });
  }
}

function decode(body: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(body);
  } catch {
    throw new YamlProblem("not UTF-8 text");
  }
}
