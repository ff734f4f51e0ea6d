import { statSync } from "node:fs";
import {
  type LoadedSettings,
  loadSettingsFile,
  type SettingsSources,
} from "../../foundation/settings-file/load-settings-file.ts";
import { SettingsError } from "../../foundation/settings-file/settings-error.ts";
import { localFilePaths } from "../configuration/order.ts";
import { supervisorFile } from "./schema.ts";
import { secretsOf } from "./secrets.ts";
import type { SupervisorSettings } from "./supervisor-settings.ts";

export type LoadedSupervisorSettings = LoadedSettings<SupervisorSettings>;

/** What loading takes from outside. Default: this process and its file system. */
export interface SupervisorSettingsSources extends SettingsSources {
  /** Throws where there is no such path. */
  readonly stat?: (path: string) => unknown;
  /** The file is only checked, perhaps on another machine: that the Collector is not there is but a warning. */
  readonly checkOnly?: boolean;
}

/**
 * Reads supervisor.yaml. Beside what references stood for, `secrets` holds header values, keys and passwords.
 * @throws SettingsError with every problem, in the reference's words where it has some.
 */
export function loadSupervisorSettings(
  path: string,
  { stat = statSync, checkOnly = false, ...sources }: SupervisorSettingsSources = {},
): LoadedSupervisorSettings {
  const missing: string[] = [];
  const look = (executable: string) => {
    try {
      return stat(executable);
    } catch (error) {
      if (!checkOnly) throw error;
      missing.push(`${path}: agent.executable: there is no ${executable} on this machine`);
      return undefined;
    }
  };
  try {
    const { settings, secrets, warnings } = loadSettingsFile(path, supervisorFile(look), sources);
    if (checkOnly) missing.push(...missingFiles(settings, stat).map((warning) => `${path}: ${warning}`));
    return {
      settings,
      secrets: new Set([...secrets, ...secretsOf(settings)]),
      warnings: [
        ...warnings,
        ...missing,
        ...doubtful(settings).map((warning) => `${path}: ${warning}`),
        ...withoutEffect(settings).map((key) => `${path}: ${key}: has no effect here${insteadOf(key)}`),
      ],
    };
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    throw new SettingsError(error.file, error.problems, `cannot validate supervisor config ${path}: `);
  }
}

/** Files that the settings name and that are not there. */
function missingFiles({ server, agent, packages }: SupervisorSettings, stat: (path: string) => unknown) {
  const files: readonly (readonly [key: string, path: string | undefined])[] = [
    ["server.tls.ca_file", server.tls.caFile],
    ["server.tls.cert_file", server.tls.certFile],
    ["server.tls.key_file", server.tls.keyFile],
    ["server.headers_file", server.headersFile],
    ...localFilePaths(agent.configFiles).map((file) => ["agent.config_files", file] as const),
    ...agent.startupFallbackConfigs.map((file) => ["agent.startup_fallback_configs", file] as const),
    ...agent.trust.configKeys.map((file) => ["agent.trust.config_keys", file] as const),
    ...packages.trust.keys.map((file) => ["packages.trust.keys", file] as const),
  ];
  return files.flatMap(([key, file]) => {
    try {
      if (file !== undefined) stat(file);
      return [];
    } catch {
      return [`${key}: there is no ${file} on this machine`];
    }
  });
}

/** What is accepted and not done as it stands. */
function doubtful({ server, capabilities }: SupervisorSettings): string[] {
  const warnings: string[] = [];
  const { minVersion, maxVersion } = server.tls;
  const isOld = (version: string | undefined) => version === "1.0" || version === "1.1";
  if (isOld(minVersion)) {
    warnings.push(`server.tls.min_version: TLS ${minVersion} is not used any more; 1.2 is the lowest`);
  }
  if (isOld(maxVersion))
    warnings.push(`server.tls.max_version: TLS ${maxVersion} is not used any more; it counts as 1.2`);
  if (server.certificate.request && !capabilities.acceptsOpampConnectionSettings) {
    warnings.push(
      "server.certificate.request: a certificate comes as connection settings; set capabilities.accepts_opamp_connection_settings to true as well",
    );
  }
  return warnings;
}

/** What to do for the sake of those who count on a key. */
function insteadOf(key: string): string {
  if (key !== "agent.access_dirs") return "";
  return "; confine the Collector with the service manager, and what the server may name with agent.restrictions.file_paths";
}

/** Keys that are accepted because the reference accepts them, and whose silence would be a surprise. */
function withoutEffect({ server, agent, telemetry, healthcheck }: SupervisorSettings): string[] {
  const keys: string[] = [];
  if (agent.accessDirs !== undefined) keys.push("agent.access_dirs");
  for (const [index, reader] of telemetry.metrics.readers.entries()) {
    if (reader.kind !== "pull") continue;
    const place = `telemetry.metrics.readers[${index}].pull.exporter.prometheus`;
    keys.push(...reader.exporter.unusedKeys.map((key) => `${place}.${key}`));
  }
  if (server.tls.tpm.enabled) keys.push("server.tls.tpm");
  if (healthcheck.tls?.tpm.enabled) keys.push("healthcheck.tls.tpm");
  return [...keys, ...healthcheck.unusedKeys.map((key) => `healthcheck.${key}`)];
}
