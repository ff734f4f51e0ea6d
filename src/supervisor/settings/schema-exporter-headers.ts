import { field, type Report, type SettingSchema, textOf } from "../../foundation/settings-file/field.ts";
import { isList, isMap, type SettingValue } from "../../foundation/settings-file/setting-value.ts";
import type { TextMap } from "./supervisor-settings.ts";

/** `headers` of an exporter: a map, or a list of `{name, value}`. Errors never show a value. */
export function exporterHeaders(): SettingSchema<TextMap> {
  return field((value, complain, report) => {
    const { data } = value;
    if (data === null) return {};
    if (isMap(data)) return collect([...data], report);
    if (!isList(data)) return complain("expected a map of headers, or a list of {name, value}");
    const entries = data.map((item): [string | undefined, SettingValue | undefined] => {
      const pair: ReadonlyMap<string, SettingValue> = isMap(item.data) ? item.data : new Map();
      const name = pair.get("name");
      return [name && textOf(name), pair.get("value")];
    });
    return collect(entries, report);
  });
}

/** `headers_list` of an exporter: `name=value,…`, values percent-encoded where they have to be. */
export function exporterHeadersList(): SettingSchema<TextMap> {
  return field((value, complain, report) => {
    if (value.data === null) return {};
    const found = textOf(value);
    if (found === undefined) return complain("expected text such as name=value,other=value");
    const pieces = found.split(",").filter((piece) => piece.trim() !== "");
    const entries = pieces.map((piece): [string, SettingValue] => {
      const [name = "", ...rest] = piece.split("=");
      const text = decoded(rest.join("=").trim());
      return [name.trim(), { ...value, data: text, text }];
    });
    return collect(entries, report);
  });
}

function collect(
  entries: readonly (readonly [string | undefined, SettingValue | undefined])[],
  report: Report,
): TextMap {
  const headers: Record<string, string> = {};
  for (const [name, value] of entries) {
    const text = value && textOf(value)?.trim();
    if (name === undefined || !/^[\w!#$%&'*+.^`|~-]+$/.test(name)) {
      report("expected names of HTTP headers; one is missing or has characters that no name can have");
    } else if (text === undefined || /[^\t\x20-\x7e]/.test(text)) {
      report("expected printable text as the value of every header; one is none");
    } else {
      headers[name] = text;
    }
  }
  return headers;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
