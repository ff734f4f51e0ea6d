import { statSync } from "node:fs";
import {
  type LoadedSettings,
  loadSettingsFile,
  type SettingsSources,
} from "../../foundation/settings-file/load-settings-file.ts";
import { SettingsError } from "../../foundation/settings-file/settings-error.ts";
import { supervisorFile } from "./schema.ts";
import { secretsOf } from "./secrets.ts";
import type { SupervisorSettings } from "./supervisor-settings.ts";

export type LoadedSupervisorSettings = LoadedSettings<SupervisorSettings>;

/** What loading takes from outside. Default: this process and its file system. */
export interface SupervisorSettingsSources extends SettingsSources {
  /** Throws where there is no such path. */
  readonly stat?: (path: string) => unknown;
}

/**
 * Reads supervisor.yaml. Beside what references stood for, `secrets` holds header values, keys and passwords.
 * @throws SettingsError with every problem, in the reference's words where it has some.
 */
export function loadSupervisorSettings(
  path: string,
  { stat = statSync, ...sources }: SupervisorSettingsSources = {},
): LoadedSupervisorSettings {
  try {
    const { settings, secrets, warnings } = loadSettingsFile(path, supervisorFile(stat), sources);
    return {
      settings,
      secrets: new Set([...secrets, ...secretsOf(settings)]),
      warnings: [...warnings, ...withoutEffect(settings).map((key) => `${path}: ${key}: has no effect here`)],
    };
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    throw new SettingsError(error.file, error.problems, `cannot validate supervisor config ${path}: `);
  }
}

/** Keys that are accepted because the reference accepts them, and whose silence would be a surprise. */
function withoutEffect({ server, agent, telemetry, healthcheck }: SupervisorSettings): string[] {
  const keys: string[] = [];
  if (server.tls.reloadIntervalMs !== undefined) keys.push("server.tls.reload_interval");
  if (agent.accessDirs !== undefined) keys.push("agent.access_dirs");
  if (telemetry.logs.processors.length > 0) keys.push("telemetry.logs.processors");
  if (telemetry.metrics.readers.length > 0) keys.push("telemetry.metrics.readers");
  if (telemetry.traces.processors.length > 0) keys.push("telemetry.traces.processors");
  if (server.tls.tpm.enabled) keys.push("server.tls.tpm");
  if (healthcheck.tls?.tpm.enabled) keys.push("healthcheck.tls.tpm");
  return [...keys, ...healthcheck.unusedKeys.map((key) => `healthcheck.${key}`)];
}
