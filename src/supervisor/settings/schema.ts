import { decodeAt } from "../../foundation/settings-file/collections.ts";
import { alreadyReported, boolean, field, type SettingSchema } from "../../foundation/settings-file/field.ts";
import { nested, section } from "../../foundation/settings-file/section.ts";
import { isMap, type SettingValue } from "../../foundation/settings-file/setting-value.ts";
import { agentSection } from "./schema-agent.ts";
import { capabilitiesSection } from "./schema-capabilities.ts";
import { healthcheckSection } from "./schema-healthcheck.ts";
import { packagesSection } from "./schema-packages.ts";
import { serverSection } from "./schema-server.ts";
import { storageSection } from "./schema-storage.ts";
import { telemetrySection } from "./schema-telemetry.ts";
import type { AgentSettings, SupervisorSettings } from "./supervisor-settings.ts";

/** supervisor.yaml as a whole. `stat` throws where there is no such path. */
export function supervisorFile(stat: (path: string) => unknown): SettingSchema<SupervisorSettings> {
  return field((value, complain, report) => {
    const packages = acceptsPackages(value);
    return (
      decodeAt(fileWith(agentSection(stat, { mayBeMissing: packages })), value, [], report) ??
      complain(alreadyReported)
    );
  });
}

function fileWith(agent: SettingSchema<AgentSettings>): SettingSchema<SupervisorSettings> {
  return section({
    server: nested("server", serverSection),
    capabilities: nested("capabilities", capabilitiesSection),
    storage: nested("storage", storageSection),
    agent: nested("agent", agent),
    packages: nested("packages", packagesSection),
    telemetry: nested("telemetry", telemetrySection),
    healthcheck: nested("healthcheck", healthcheckSection),
  });
}

/** A package may bring the Collector, so that `agent` has to know before it is looked at. */
function acceptsPackages({ data }: SettingValue): boolean {
  const capabilities = isMap(data) ? data.get("capabilities")?.data : undefined;
  const key =
    capabilities !== undefined && isMap(capabilities) ? capabilities.get("accepts_packages") : undefined;
  return key !== undefined && boolean().safeParse(key).data === true;
}
