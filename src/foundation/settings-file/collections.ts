import * as z from "zod/mini";
import { field, type Path, type Report, type SettingSchema, text, textOf } from "./field.ts";
import { describeKind, isList, isMap, type SettingValue } from "./setting-value.ts";

/** A list whose items follow `item`. */
export function listOf<T>(item: SettingSchema<T>): SettingSchema<readonly T[]> {
  return field((value, complain, report) => {
    if (isList(value.data)) return decodeItems(value.data, item, report);
    return complain(`expected a list, got ${describeKind(value)}`);
  });
}

/** A list, or one text that is split at commas, as the Collector's confmap does (which leaves the spaces). Empty text is an empty list. */
export function splitListOf<T>(item: SettingSchema<T>): SettingSchema<readonly T[]> {
  return field((value, complain, report) => {
    if (isList(value.data)) return decodeItems(value.data, item, report);
    if (value.data === null) return [];
    const found = isMap(value.data) ? undefined : textOf(value);
    if (found === undefined) return complain(`expected a list or text, got ${describeKind(value)}`);
    const pieces = found === "" ? [] : found.split(",").map((piece) => piece.trim());
    const items = pieces.map((piece): SettingValue => ({ ...value, data: piece, text: piece }));
    return decodeItems(items, item, report);
  });
}

/** A list of texts, or one text that is split at commas. Items are not empty unless `allowEmpty`. */
export function textList(
  options: { expected?: string; allowEmpty?: boolean } = {},
): SettingSchema<readonly string[]> {
  return splitListOf(text(options));
}

/**
 * A map of free names to values that follow `item`. `checkName` gives the complaint about a name, which is
 * reported without the name: a secret that slipped into its place must not show.
 */
export function mapOf<T>(
  item: SettingSchema<T>,
  checkName: (name: string) => string | undefined = () => undefined,
): SettingSchema<Readonly<Record<string, T>>> {
  return field((value, complain, report) => {
    if (!isMap(value.data)) return complain(`expected a map, got ${describeKind(value)}`);
    const entries: [string, T][] = [];
    for (const [name, child] of value.data) {
      const wrongName = checkName(name);
      if (wrongName !== undefined) report(wrongName);
      const decoded = decodeAt(item, child, value.origin === undefined ? [name] : [], report);
      if (decoded !== undefined) entries.push([name, decoded]);
    }
    return Object.fromEntries(entries);
  });
}

/** A map of free names to texts; a name without a value has empty text. */
export function textMap(): SettingSchema<Readonly<Record<string, string>>> {
  return mapOf(text({ allowEmpty: true }));
}

/** Decodes something below a value: its complaints become the value's, and the result is undefined then. */
export function decodeAt<T>(
  schema: SettingSchema<T>,
  value: SettingValue,
  path: Path,
  report: Report,
): T | undefined {
  const decoded = z.safeParse(schema, value);
  if (decoded.success) return decoded.data;
  passOn(decoded.error, report, path);
  return undefined;
}

/** Hands the complaints about a part, which stands at `path`, to the whole. */
function passOn(error: z.core.$ZodError, report: Report, path: Path): void {
  for (const issue of error.issues) report(issue.message, [...path, ...(issue.path as Path)]);
}

function decodeItems<T>(
  items: readonly SettingValue[],
  item: SettingSchema<T>,
  report: Report,
): readonly T[] {
  return items
    .map((child, index) => decodeAt(item, child, [index], report))
    .filter((decoded): decoded is Awaited<T> & T => decoded !== undefined);
}
