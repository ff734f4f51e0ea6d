import type { CollectorBinary } from "../collector/binary.ts";
import type { CompositionInput } from "../configuration/compose.ts";
import type { ExtensionSettings } from "../configuration/extension-fragment.ts";
import type { SupervisorSettings } from "../settings/supervisor-settings.ts";
import type { ConfigurationInputs } from "./snapshots.ts";

/**
 * An empty Collector opens no port for its own metrics: the default one, 8888, may be another Collector's,
 * and a start that fails for want of it would be absurd.
 */
export const quietName = "(no configuration)";
const quietText = "service: { telemetry: { metrics: { level: none } } }";

/** What is known beside the inputs when they are merged. */
interface Circumstances {
  settings: Pick<SupervisorSettings, "agent" | "capabilities">;
  extension: ExtensionSettings;
  /** For the resource of the Collector's own telemetry. */
  attributes: Readonly<Record<string, string>>;
  noPipelines: CompositionInput["noPipelines"];
  pemPath: CompositionInput["pemPath"];
  /** In place of `agent.config_files`. */
  configFiles?: readonly string[];
}

/** What {@link compose} is to merge for these inputs on this host. */
export function toCompositionInput(
  inputs: ConfigurationInputs,
  { settings, extension, attributes, noPipelines, pemPath, configFiles }: Circumstances,
): CompositionInput {
  const { agent, capabilities } = settings;
  const files = configFiles ?? agent.configFiles;
  const bare = isEmpty(inputs);
  return {
    configFiles: bare ? [quietName, ...files] : files,
    localFiles: bare ? { [quietName]: quietText } : inputs.localFiles,
    acceptsRemoteConfig: capabilities.acceptsRemoteConfig,
    remote: inputs.remote?.config,
    ownTelemetry: inputs.ownTelemetry,
    attributes,
    extension,
    noPipelines,
    pemPath,
    maxRemoteConfigBytes: agent.restrictions.maxRemoteConfigBytes,
  };
}

/** How this Collector is to be run without pipelines. */
export function noPipelinesOf(binary: CollectorBinary | undefined): CompositionInput["noPipelines"] {
  return binary?.identified === true && binary.supportsNoPipelines ? "gate" : "nop-pipeline";
}

function isEmpty({ remote, localFiles, ownTelemetry }: ConfigurationInputs): boolean {
  const sendsMetrics = (ownTelemetry?.ownMetrics?.destinationEndpoint ?? "") !== "";
  return remote === undefined && Object.keys(localFiles).length === 0 && !sendsMetrics;
}
