import {
  type LoadedSettings,
  loadSettingsFile,
  type SettingsSources,
} from "../../foundation/settings-file/load-settings-file.ts";
import { nested, section } from "../../foundation/settings-file/section.ts";
import { storageSection } from "./schema-storage.ts";
import type { SupervisorSettings } from "./supervisor-settings.ts";

/**
 * Reads of supervisor.yaml only where the state is. An operator's shell has neither the service's environment
 * nor may it read every file that the rest refers to.
 * @throws SettingsError
 */
export function loadStorageSettings(
  path: string,
  sources: SettingsSources = {},
): LoadedSettings<Pick<SupervisorSettings, "storage">> {
  return loadSettingsFile(path, section({ storage: nested("storage", storageSection) }), sources, [
    "storage",
  ]);
}
