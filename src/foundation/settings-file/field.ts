import * as z from "zod/mini";
import { describeValue, type SettingValue, toPlainData } from "./setting-value.ts";

/** A schema over {@link SettingValue}s; further checks can be put on it with `.check()`. */
export type SettingSchema<T> = z.ZodMiniType<T>;

/** A place below a value: keys and list positions. */
export type Path = readonly (string | number)[];

/** For `return complain("expected …")`: marks the value as wrong; its result is discarded. */
export type Complain = (message: string, path?: Path) => never;

/** The same for one of several complaints, about the value or something below it. */
export type Report = (message: string, path?: Path) => void;

/** The complaint about a value whose reference failed: that one was reported already. */
export const alreadyReported = "already reported";

/**
 * A schema from a function. Once it has complained, what it returns does not matter. A message says what was
 * expected and holds nothing that {@link describeValue} would hide.
 */
export function field<T>(
  decode: (value: SettingValue, complain: Complain, report: Report) => T,
): SettingSchema<T> {
  return z.transform((input: unknown, context): T => {
    const value = input as SettingValue;
    const report: Report = (message, path = []) => {
      context.issues.push({ code: "custom", message, path: [...path], input: undefined });
    };
    const complain: Complain = (message, path) => {
      report(message, path);
      return z.NEVER;
    };
    return value.broken ? complain(alreadyReported) : decode(value, complain, report);
  }) as unknown as SettingSchema<T>;
}

/** Text. A number or boolean is taken as it is written. Not empty unless `allowEmpty`. */
export function text(options: { expected?: string; allowEmpty?: boolean } = {}): SettingSchema<string> {
  const { expected = "text", allowEmpty = false } = options;
  return field((value, complain) => {
    const found = textOf(value);
    if (found !== undefined && (allowEmpty || found !== "")) return found;
    return complain(`expected ${expected}, got ${describeValue(value)}`);
  });
}

/** Text that an error never shows, such as a key in PEM. */
export function secretText(expected: string): SettingSchema<string> {
  return field((value, complain) => textOf(value) ?? complain(`expected ${expected}`));
}

/** The text of a value that may be one; undefined for lists and maps that were written out. */
export function textOf({ data, text: written }: SettingValue): string | undefined {
  return typeof data === "string" ? data : written;
}

/** true or false, also as text in any spelling that Go's ParseBool takes. */
export function boolean(): SettingSchema<boolean> {
  return field((value, complain) => {
    if (typeof value.data === "boolean") return value.data;
    const found = textOf(value);
    if (found !== undefined && /^(1|t|T|true|TRUE|True)$/.test(found)) return true;
    if (found !== undefined && /^(0|f|F|false|FALSE|False)$/.test(found)) return false;
    return complain(`expected true or false, got ${describeValue(value)}`);
  });
}

/** A whole number, also as text. `message` replaces the complaint about one out of bounds. */
export function integer(bounds: { min: number; max?: number; message?: string }): SettingSchema<number> {
  const { min, max = Number.MAX_SAFE_INTEGER, message } = bounds;
  const range = max === Number.MAX_SAFE_INTEGER ? `${min} or more` : `${min} to ${max}`;
  return field((value, complain) => {
    const found =
      typeof value.data === "number" ? value.data : Number(/^[+-]?\d+$/.exec(textOf(value) ?? "")?.[0]);
    const wrong = `expected a whole number, ${range}, got ${describeValue(value)}`;
    if (!Number.isSafeInteger(found)) return complain(wrong);
    return found >= min && found <= max ? found : complain(message ?? wrong);
  });
}

/** One of a few words. */
export function oneOf<const T extends string>(words: readonly T[]): SettingSchema<T> {
  return field((value, complain) => {
    const found = textOf(value);
    return (
      words.find((word) => word === found) ??
      complain(`expected one of ${words.join(", ")}, got ${describeValue(value)}`)
    );
  });
}

/** Anything: plain YAML data, handed on as it stands. */
export function opaque(): SettingSchema<unknown> {
  return field((value) => toPlainData(value));
}
