import type { SettingSchema } from "../../foundation/settings-file/field.ts";
import { nested, section } from "../../foundation/settings-file/section.ts";
import { agentSection } from "./schema-agent.ts";
import { capabilitiesSection } from "./schema-capabilities.ts";
import { healthcheckSection } from "./schema-healthcheck.ts";
import { serverSection } from "./schema-server.ts";
import { storageSection } from "./schema-storage.ts";
import { telemetrySection } from "./schema-telemetry.ts";
import type { SupervisorSettings } from "./supervisor-settings.ts";

/** supervisor.yaml as a whole. `stat` throws where there is no such path. */
export function supervisorFile(stat: (path: string) => unknown): SettingSchema<SupervisorSettings> {
  return section({
    server: nested("server", serverSection),
    capabilities: nested("capabilities", capabilitiesSection),
    storage: nested("storage", storageSection),
    agent: nested("agent", agentSection(stat)),
    telemetry: nested("telemetry", telemetrySection),
    healthcheck: nested("healthcheck", healthcheckSection),
  });
}
