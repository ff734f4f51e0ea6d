import { readFile } from "node:fs/promises";
import { at, type Tree } from "../../../foundation/collector-yaml/tree.ts";
import { readYaml } from "../../../foundation/collector-yaml/yaml-reader.ts";
import { describeError } from "../../../foundation/errors.ts";
import { noPipelinesOf, toCompositionInput } from "../../change/composition-input.ts";
import type { Reference } from "../../change/configuration-book.ts";
import { type ConfigurationInputs, pemName, Snapshots } from "../../change/snapshots.ts";
import { listCachedBinaries } from "../../collector/binary-cache.ts";
import type { ExtensionSettings } from "../../configuration/extension-fragment.ts";
import { describeAgent } from "../../report/agent-description.ts";
import type { SupervisorSettings } from "../../settings/supervisor-settings.ts";
import { ReadOnlyDirectory } from "../../storage/read-only-directory.ts";
import { readBookAtRest } from "../control/at-rest.ts";
import { EffectiveConfiguration } from "./effective-configuration.ts";

/** What runs, or is to run, and how it came to be. */
export interface FoundConfiguration {
  reference: Reference;
  effective: EffectiveConfiguration;
}

/**
 * Reads from the state directory what the present configuration was merged from, and merges it once more.
 * @throws an Error for people when there is none, or it cannot be read.
 */
export async function findEffective(settings: SupervisorSettings): Promise<FoundConfiguration> {
  const { directory } = settings.storage;
  const { current } = await readBookAtRest(directory);
  if (current === null) throw new Error("no configuration has come to run on this host yet");
  if (current.id === null)
    throw new Error("the server's order is to run no Collector: there is no effective configuration");
  const snapshots = new Snapshots(new ReadOnlyDirectory(`${directory}/configurations`));
  const snapshot = await snapshots.load(current.id);
  if (snapshot === undefined)
    throw new Error(`the snapshot ${snapshots.path(current.id)} of what runs is missing or damaged`);
  const tree = readYaml(snapshot.text);
  let best: EffectiveConfiguration | undefined;
  for (const input of await possibleInputs(settings, current, { tree, inputs: snapshot.inputs })) {
    const effective = new EffectiveConfiguration(tree, input);
    if (effective.isUpToDate) return { reference: current, effective };
    best ??= effective;
  }
  if (best === undefined) throw new Error("none of agent.startup_fallback_configs can be read any more");
  return { reference: current, effective: best };
}

/** The Collector, whose name is in the configuration, may be any that was seen here; the fallback any that is listed. */
async function possibleInputs(
  settings: SupervisorSettings,
  { role, id }: Reference,
  { tree, inputs }: { tree: Tree; inputs: ConfigurationInputs },
) {
  const { agent, storage } = settings;
  const extension = extensionOf(tree, { id: id ?? "", settings });
  const sources =
    role === "fallback"
      ? await readFallbacks(agent.startupFallbackConfigs, inputs)
      : [{ inputs, configFiles: agent.configFiles }];
  const binaries = await listCachedBinaries(`${storage.directory}/binary.json`);
  return sources.flatMap((source) =>
    [...binaries, undefined].map((binary) => {
      const { identifying, nonIdentifying } = describeAgent({
        instanceId: extension.instanceUid,
        serviceName: binary?.command ?? "otelcol",
        serviceVersion: binary?.version ?? "",
        overrides: agent.description,
      });
      return toCompositionInput(source.inputs, {
        settings,
        extension,
        attributes: { ...identifying, ...nonIdentifying },
        noPipelines: noPipelinesOf(binary),
        pemPath: (pem) => `${storage.directory}/configurations/${pemName(pem)}`,
        configFiles: source.configFiles,
      });
    }),
  );
}

async function readFallbacks(paths: readonly string[], { packages }: ConfigurationInputs) {
  const nothing = { remote: undefined, ownTelemetry: undefined, packages };
  const found = paths.map(async (path) => {
    const text = await readFile(path, "utf8").catch((error: unknown) => new Error(describeError(error)));
    return typeof text === "string"
      ? [{ inputs: { ...nothing, localFiles: { [path]: text } }, configFiles: [path] }]
      : [];
  });
  return (await Promise.all(found)).flat();
}

/** As it was when the configuration was merged; port and process may be others by now. */
function extensionOf(
  tree: Tree,
  { id, settings: { agent, capabilities } }: { id: string; settings: SupervisorSettings },
): ExtensionSettings {
  const text = (...path: string[]) => {
    const value = at(tree, ["extensions", "opamp", ...path]);
    return typeof value === "string" ? value.replaceAll("$$", "$") : "";
  };
  const ppid = at(tree, ["extensions", "opamp", "ppid"]);
  return {
    instanceUid: text("instance_uid"),
    port: Number(/:(\d+)\//.exec(text("server", "ws", "endpoint"))?.[1] ?? 0),
    token: text("server", "ws", "headers", "Authorization").replace(/^Bearer /, ""),
    mark: id,
    reportsAvailableComponents: capabilities.reportsAvailableComponents,
    ...(typeof ppid === "bigint" && {
      parent: { pid: Number(ppid), pollIntervalMs: agent.orphanDetectionIntervalMs },
    }),
  };
}
