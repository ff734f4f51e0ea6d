import { mergeConfigurations, mergeMaps } from "../../foundation/collector-yaml/merge.ts";
import { at, type Tree, without } from "../../foundation/collector-yaml/tree.ts";
import { YamlProblem } from "../../foundation/collector-yaml/yaml-problem.ts";
import { hashYaml, writeYaml } from "../../foundation/collector-yaml/yaml-writer.ts";
import { describeError } from "../../foundation/errors.ts";
import type { AgentConfigMap, ConnectionSettingsOffers } from "../../opamp/messages.ts";
import { resolveConnections } from "./connection-references.ts";
import { changeMarkHeader, type ExtensionSettings, extensionFragment } from "./extension-fragment.ts";
import { keepLink } from "./link.ts";
import { localFilePaths, type Source, sourceOrder } from "./order.ts";
import type { Trace } from "./origin.ts";
import { ownTelemetryFragment, type PemPath, telemetryDefaults } from "./own-telemetry-fragment.ts";
import { readRemote, readSource } from "./sources.ts";

/** All that a merged configuration is made from. */
export interface CompositionInput {
  /** `agent.config_files`, markers included. */
  configFiles: readonly string[];
  /** The text of each local file by its path, or why it could not be read. */
  localFiles: Readonly<Record<string, string | Error>>;
  /** When false, the remote configuration is not used. */
  acceptsRemoteConfig: boolean;
  remote: AgentConfigMap | undefined;
  ownTelemetry: ConnectionSettingsOffers | undefined;
  /** Told each certificate, key and authority that the configuration is to name. */
  pemPath: PemPath;
  /** The Agent's description, for the resource of the Collector's own telemetry. */
  attributes: Readonly<Record<string, string>>;
  extension: ExtensionSettings;
  /** Whether this Collector can run without pipelines (`service.AllowNoPipelines`) or needs one that does nothing. */
  noPipelines: "gate" | "nop-pipeline";
  /** `agent.restrictions.max_remote_config_size`, all entries together. */
  maxRemoteConfigBytes?: number | undefined;
}

/** A local file that was left out. */
export interface SourceWarning {
  file: string;
  problem: string;
}

/** A merged configuration. */
export interface Composition {
  /** For `effective.yaml`. Holds secrets. */
  text: string;
  tree: Tree;
  /** SHA-256 in hex of the text without the change mark. */
  contentHash: string;
  /** What the server wants, what this host's files say; both before they were merged. */
  remoteTree: Tree;
  localTree: Tree;
  /** Local files that are in it. */
  files: readonly string[];
  warnings: readonly SourceWarning[];
}

/**
 * Merges all sources into the configuration that the Collector is to run. A local file that cannot be
 * read or understood is left out with a warning. `trace` may put something else in the place of each source.
 * @throws ConfigurationError when the remote configuration is at fault.
 */
export function compose(input: CompositionInput, trace: Trace = (tree) => tree): Composition {
  const { configFiles, localFiles, extension } = input;
  const remote = input.acceptsRemoteConfig ? input.remote : undefined;
  const remoteTree = remote === undefined ? {} : readRemote(remote, input.maxRemoteConfigBytes, trace);
  const local = readLocal(localFilePaths(configFiles), localFiles);
  const ownTelemetry = mergeConfigurations(
    trace(ownTelemetryFragment(input.ownTelemetry, input.pemPath), { t: "own-telemetry" }),
    trace(telemetryDefaults(input.attributes), { t: "telemetry-defaults" }),
  );
  const treeOf = (source: Source): Tree => {
    switch (source.t) {
      case "own-telemetry":
        return ownTelemetry;
      case "opamp-extension":
        return trace(extensionFragment(extension), { t: "opamp-extension" });
      case "remote":
        return remoteTree;
      case "file":
        return trace(local.trees.get(source.path) ?? {}, { t: "file", path: source.path });
    }
  };
  const order = sourceOrder(configFiles);
  const layers = order.map((source) => ({ source, tree: treeOf(source) }));
  const { otherConnections = {} } = input.ownTelemetry ?? {};
  const merged = resolveConnections(mergeAll(layers), otherConnections, input.pemPath);
  const tree = keepLink(withPipelines(merged, input.noPipelines), extension);
  return {
    text: writeYaml(tree),
    tree,
    contentHash: hashWithoutMark(tree),
    remoteTree,
    localTree: mergeAll(layers.filter(({ source }) => source.t === "file")),
    files: [...local.trees.keys()],
    warnings: local.warnings,
  };
}

/** Reads the local files of `agent.config_files` for {@link compose}. Never fails. */
export async function readLocalFiles(
  configFiles: readonly string[],
  read: (path: string) => Promise<string>,
): Promise<Record<string, string | Error>> {
  const entries = localFilePaths(configFiles).map(async (path): Promise<[string, string | Error]> => {
    try {
      return [path, await read(path)];
    } catch (error) {
      return [path, error instanceof Error ? error : new Error(String(error))];
    }
  });
  return Object.fromEntries(await Promise.all(entries));
}

function readLocal(paths: readonly string[], texts: Readonly<Record<string, string | Error>>) {
  const trees = new Map<string, Tree>();
  const warnings: SourceWarning[] = [];
  for (const file of paths) {
    const text = Object.hasOwn(texts, file) ? texts[file] : undefined;
    if (typeof text !== "string") {
      const reason = text === undefined ? "" : `: ${describeError(text)}`;
      warnings.push({ file, problem: `cannot be read${reason}` });
      continue;
    }
    try {
      trees.set(file, readSource(text));
    } catch (error) {
      if (!(error instanceof YamlProblem)) throw error;
      const line = error.line === undefined ? "" : `line ${error.line}: `;
      warnings.push({ file, problem: `${line}${error.message}` });
    }
  }
  return { trees, warnings };
}

function mergeAll(layers: readonly { tree: Tree }[]): Tree {
  return layers.reduce<Tree>((merged, { tree }) => mergeConfigurations(merged, tree), {});
}

const nopPipeline: Tree = {
  receivers: { nop: null },
  exporters: { nop: null },
  service: { pipelines: { traces: { receivers: ["nop"], exporters: ["nop"] } } },
};

function withPipelines(tree: Tree, noPipelines: CompositionInput["noPipelines"]): Tree {
  const pipelines = at(tree, ["service", "pipelines"]) ?? {};
  const none = typeof pipelines === "object" && Object.keys(pipelines).length === 0;
  return none && noPipelines === "nop-pipeline" ? mergeMaps(tree, nopPipeline) : tree;
}

function hashWithoutMark(tree: Tree): string {
  const mark = ["extensions", "opamp", "server", "ws", "headers", changeMarkHeader];
  return hashYaml(without(tree, mark));
}
