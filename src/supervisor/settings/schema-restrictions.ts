import { byteSize } from "../../foundation/settings-file/byte-size.ts";
import { splitListOf, textList } from "../../foundation/settings-file/collections.ts";
import { boolean, type SettingSchema } from "../../foundation/settings-file/field.ts";
import { nested, optional, section } from "../../foundation/settings-file/section.ts";
import { absolutePath } from "./agent-values.ts";
import type { RestrictionSettings } from "./supervisor-settings.ts";

const types = () => textList({ expected: "a component type such as otlp" });

/** `agent.restrictions`, which the reference does not have. */
export const restrictionsSection: SettingSchema<RestrictionSettings> = section({
  componentTypes: nested(
    "component_types",
    section({
      receivers: optional("receivers", types()),
      processors: optional("processors", types()),
      exporters: optional("exporters", types()),
      connectors: optional("connectors", types()),
      extensions: optional("extensions", types()),
    }),
  ),
  configProviders: optional("config_providers", textList({ expected: "a scheme such as env" })),
  filePaths: optional("file_paths", splitListOf(absolutePath())),
  listenAddresses: optional("listen_addresses", textList({ expected: "an address" })),
  allowOverride: nested(
    "allow_override",
    section({
      opampExtension: optional("opamp_extension", boolean()),
      serviceTelemetry: optional("service_telemetry", boolean()),
      localFiles: optional("local_files", boolean()),
    }),
  ),
  maxRemoteConfigBytes: optional("max_remote_config_size", byteSize(1)),
});
