import { createHash } from "node:crypto";
import { isList, isMap, type SettingValue } from "../../foundation/settings-file/setting-value.ts";

/**
 * Tells whether somebody has edited a part of the file. Order and comments do not count, and a reference counts by
 * its name: what it stands for may change by itself, as a token does.
 */
export function settingsDigest(values: readonly (SettingValue | undefined)[]): string {
  const written = values.map((value) => (value === undefined ? null : asWritten(value)));
  return createHash("sha256").update(JSON.stringify(written)).digest("hex");
}

function asWritten(value: SettingValue): unknown {
  const { data, text, origin } = value;
  if (origin !== undefined) return { from: origin };
  if (isList(data)) return data.map(asWritten);
  if (!isMap(data)) return text ?? data;
  return [...data]
    .map(([key, child]) => [key, asWritten(child)] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1));
}
