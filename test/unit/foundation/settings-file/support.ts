import type { SettingSchema } from "../../../../src/foundation/settings-file/field.ts";
import { loadSettingsFile } from "../../../../src/foundation/settings-file/load-settings-file.ts";
import { SettingsError } from "../../../../src/foundation/settings-file/settings-error.ts";

export interface Outside {
  env?: Record<string, string>;
  files?: Record<string, string>;
}

/** Loads a text as if it were the file s.yaml. */
export function loadText<T>(text: string, schema: SettingSchema<T>, { env = {}, files = {} }: Outside = {}) {
  const all: Record<string, string> = { ...files, "s.yaml": text };
  const readFile = (path: string) => {
    const found = all[path];
    if (found === undefined)
      throw Object.assign(new Error(`ENOENT: no such file, open '${path}'`), { code: "ENOENT" });
    return found;
  };
  return loadSettingsFile("s.yaml", schema, { env, readFile });
}

/** The error that loading the text ends with. */
export function failureOf<T>(text: string, schema: SettingSchema<T>, outside: Outside = {}): SettingsError {
  try {
    loadText(text, schema, outside);
  } catch (error) {
    if (error instanceof SettingsError) return error;
    throw error;
  }
  throw new Error("the file was accepted");
}

/** Its problems, as `line:column path: message`. */
export function problemsOf<T>(text: string, schema: SettingSchema<T>, outside: Outside = {}): string[] {
  return failureOf(text, schema, outside).problems.map(
    ({ line, column, path, message }) => `${line}:${column} ${path}: ${message}`,
  );
}
