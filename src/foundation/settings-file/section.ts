import { decodeAt } from "./collections.ts";
import { field, type Report, type SettingSchema } from "./field.ts";
import { nearest } from "./nearest.ts";
import { describeKind, isMap, present, type SettingValue } from "./setting-value.ts";

/** One key of a section: its name in the file, its schema, and what its absence means. */
export interface SectionKey<T> {
  readonly key: string;
  readonly schema: SettingSchema<T>;
  readonly absent:
    | { means: "value"; value: T }
    | { means: "complain"; message: string }
    | { means: "empty-section" }
    | { means: "empty-list" };
  /** Empty text means the same as no key. */
  readonly emptyIsAbsent: boolean;
}

type Section = Readonly<Record<string, SectionKey<unknown>>>;
type Output<S extends Section> = { readonly [K in keyof S]: S[K] extends SectionKey<infer T> ? T : never };

/** A key that must be there, with a value; `message` is the complaint when it is not. */
export function required<T>(
  key: string,
  schema: SettingSchema<T>,
  message = "must be specified",
): SectionKey<T> {
  return { key, schema, absent: { means: "complain", message }, emptyIsAbsent: true };
}

/** A key that may be left out: undefined then. */
export function optional<T>(key: string, schema: SettingSchema<T>): SectionKey<T | undefined> {
  return { key, schema, absent: { means: "value", value: undefined }, emptyIsAbsent: false };
}

/** A key of text that may be left out or empty: undefined then. */
export function optionalText<T>(key: string, schema: SettingSchema<T>): SectionKey<T | undefined> {
  return { ...optional(key, schema), emptyIsAbsent: true };
}

/** A key with a value of its own when it is left out. */
export function defaulted<T>(key: string, schema: SettingSchema<T>, value: NoInfer<T>): SectionKey<T> {
  return { key, schema, absent: { means: "value", value }, emptyIsAbsent: false };
}

/**
 * A list that may be left out, but not be empty: that would quietly switch off what it is for, such as by a variable
 * that is not set.
 */
export function filledList<T>(key: string, schema: SettingSchema<readonly T[]>): SectionKey<readonly T[]> {
  const filled = field((value, complain, report) => {
    const items = decodeAt(schema, value, [], report);
    return items?.length === 0 ? complain(emptyList) : (items ?? []);
  });
  return { key, schema: filled, absent: { means: "empty-list" }, emptyIsAbsent: false };
}

const emptyList = "expected at least one; leave the key out to do without";

/** A section within a section: left out, it is as if it stood there empty. */
export function nested<T>(key: string, schema: SettingSchema<T>): SectionKey<T> {
  return { key, schema, absent: { means: "empty-section" }, emptyIsAbsent: false };
}

/**
 * A map with known keys. `keys` says for each property of the result which key it comes from.
 * Every wrong key is reported, and every unknown one with the nearest that is known.
 */
export function section<const S extends Section>(keys: S): SettingSchema<Output<S>> {
  return field((value, complain, report) => {
    if (!isMap(value.data)) return complain(`expected a map of keys, got ${describeKind(value)}`);
    reportUnknownKeys(value, value.data, Object.values(keys), report);
    const result: Record<string, unknown> = {};
    for (const [property, key] of Object.entries(keys)) {
      result[property] = decodeKey(key, value, value.data.get(key.key), report);
    }
    return result as Output<S>;
  });
}

function decodeKey(
  { key, schema, absent, emptyIsAbsent }: SectionKey<unknown>,
  parent: SettingValue,
  value: SettingValue | undefined,
  report: Report,
): unknown {
  const found = emptyIsAbsent && value?.data === "" ? undefined : present(value);
  if (found !== undefined) return decodeAt(schema, found, [key], report);
  if (absent.means === "value") return absent.value;
  if (absent.means === "empty-list" && value === undefined) return [];
  if (absent.means !== "empty-section") {
    const message = absent.means === "complain" ? absent.message : emptyList;
    return report(value?.origin === undefined ? message : `${message} (${value.origin} is empty)`, [key]);
  }
  return decodeAt(schema, { ...parent, data: new Map(), text: undefined }, [key], report);
}

function reportUnknownKeys(
  { origin }: SettingValue,
  entries: ReadonlyMap<string, SettingValue>,
  keys: readonly SectionKey<unknown>[],
  report: Report,
): void {
  const known = keys.map(({ key }) => key);
  const listed = `known keys: ${known.join(", ")}`;
  for (const key of entries.keys()) {
    if (known.includes(key)) continue;
    const guess = nearest(key, known);
    if (origin !== undefined) report(`unknown key in the value of ${origin}; ${listed}`);
    else
      report(guess === undefined ? `unknown key; ${listed}` : `unknown key; did you mean ${guess}?`, [key]);
  }
}
