import { SettingsError } from "../../../../src/foundation/settings-file/settings-error.ts";
import {
  type LoadedSupervisorSettings,
  loadSupervisorSettings,
} from "../../../../src/supervisor/settings/load.ts";

export type Env = Record<string, string>;

/** Loads a text as s.yaml on a host that has `/otelcol` and `/etc/token` and nothing else. */
export function load(text: string, env: Env = {}): LoadedSupervisorSettings {
  const files: Record<string, string> = { "s.yaml": text, "/otelcol": "", "/etc/token": "t0ken\n" };
  const readFile = (path: string) => {
    const found = files[path];
    if (found === undefined)
      throw Object.assign(new Error(`ENOENT: no such file, '${path}'`), { code: "ENOENT" });
    return found;
  };
  return loadSupervisorSettings("s.yaml", { env, readFile, stat: readFile });
}

export function failureOf(text: string, env: Env = {}): SettingsError {
  try {
    load(text, env);
  } catch (error) {
    if (error instanceof SettingsError) return error;
    throw error;
  }
  throw new Error("the file was accepted");
}

/** A file that has what is required, with lines added to one of its sections, or in place of those of that key. */
export function fileWith(section: string, ...lines: string[]): string {
  const sections: Record<string, string[]> = {
    server: ["endpoint: ws://localhost:4320/v1/opamp"],
    agent: ["executable: /otelcol"],
  };
  const keys = lines.map((line) => line.split(":")[0]);
  const kept = (sections[section] ?? []).filter((line) => !keys.includes(line.split(":")[0]));
  sections[section] = [...kept, ...lines];
  return Object.entries(sections)
    .map(([name, content]) => [`${name}:`, ...content.map((line) => `  ${line}`)].join("\n"))
    .join("\n");
}
