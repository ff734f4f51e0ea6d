import {
  type LoadedSettings,
  loadSettingsFile,
  type SettingsSources,
} from "../../foundation/settings-file/load-settings-file.ts";
import { nested, section } from "../../foundation/settings-file/section.ts";
import { storageSection } from "./schema-storage.ts";
import { telemetrySection } from "./schema-telemetry.ts";
import type { SupervisorSettings } from "./supervisor-settings.ts";

/**
 * Reads of supervisor.yaml only where the state is and where the supervisor logs to.
 * @throws SettingsError
 */
export function loadLogSettings(
  path: string,
  sources: SettingsSources = {},
): LoadedSettings<Pick<SupervisorSettings, "storage" | "telemetry">> {
  const schema = section({
    storage: nested("storage", storageSection),
    telemetry: nested("telemetry", telemetrySection),
  });
  return loadSettingsFile(path, schema, sources, ["storage", "telemetry"]);
}
