import {
  type LoadedSettings,
  loadSettingsFile,
  type SettingsSources,
} from "../../foundation/settings-file/load-settings-file.ts";
import { serverFile } from "./schema.ts";
import type { ServerSettings } from "./server-settings.ts";

/**
 * Reads server.yaml.
 * @throws SettingsError with everything that is wrong with it.
 */
export function loadServerSettings(path: string, sources?: SettingsSources): LoadedSettings<ServerSettings> {
  const { settings, ...rest } = loadSettingsFile(path, serverFile, sources);
  const { telemetry, ...sections } = settings;
  return { ...rest, settings: { ...sections, ...telemetry } };
}

/** What an empty server.yaml means. */
export function defaultServerSettings(): ServerSettings {
  return loadServerSettings("server.yaml", { env: {}, readFile: () => "" }).settings;
}
