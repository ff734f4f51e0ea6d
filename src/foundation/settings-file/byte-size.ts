import { field, type SettingSchema, textOf } from "./field.ts";
import { describeValue } from "./setting-value.ts";

const units = new Map([
  ["", 1],
  ["b", 1],
  ["k", 1e3],
  ["kb", 1e3],
  ["kib", 2 ** 10],
  ["m", 1e6],
  ["mb", 1e6],
  ["mib", 2 ** 20],
  ["g", 1e9],
  ["gb", 1e9],
  ["gib", 2 ** 30],
]);

/** `64MiB`, `10 MB`, `1.5GiB` or a bare number of bytes; undefined when the text is no size. */
export function parseByteSize(text: string): number | undefined {
  const [, amount, unit = ""] = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim()) ?? [];
  const factor = units.get(unit.toLowerCase());
  if (amount === undefined || factor === undefined) return undefined;
  const bytes = Math.round(Number(amount) * factor);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** A size in bytes, at least `min`. */
export function byteSize(min = 0): SettingSchema<number> {
  return field((value, complain) => {
    const found = parseByteSize(textOf(value) ?? "");
    if (found === undefined) return complain(`expected a size such as 64MiB, got ${describeValue(value)}`);
    return found >= min
      ? found
      : complain(`expected a size of ${min} bytes or more, got ${describeValue(value)}`);
  });
}
