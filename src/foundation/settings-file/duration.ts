import { field, type SettingSchema, textOf } from "./field.ts";
import { describeValue } from "./setting-value.ts";

const unitMs: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};

/** A Go duration (`5s`, `1m30s`, `-1.5h`, `0`) in milliseconds; undefined when the text is none. */
export function parseDuration(text: string): number | undefined {
  const [, sign, rest] = /^([+-]?)(.*)$/s.exec(text) ?? [];
  if (rest === "0") return 0;
  if (rest === undefined || !/^((\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h))+$/.test(rest)) return undefined;
  let total = 0;
  for (const [, amount, unit] of rest.matchAll(/([\d.]+)(\D+)/g))
    total += Number(amount) * (unitMs[unit ?? ""] ?? 0);
  return sign === "-" ? -total : total;
}

/**
 * A Go duration; the result is in milliseconds. A bare number other than 0 is refused: Go would take it for
 * nanoseconds, and nobody means that. `min` counts as allowed; `positive` refuses 0 as well.
 */
export function duration(options: { positive?: boolean; message?: string } = {}): SettingSchema<number> {
  const { positive = false, message } = options;
  return field((value, complain) => {
    const found = parseDuration(textOf(value) ?? "");
    if (found === undefined) return complain(`expected a duration such as 5s, got ${describeValue(value)}`);
    if (found > 0 || (found === 0 && !positive)) return found;
    const wanted = positive ? "a duration longer than 0" : "a duration of 0 or more";
    return complain(message ?? `expected ${wanted}, got ${describeValue(value)}`);
  });
}
