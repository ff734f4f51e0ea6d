// The Collector reads YAML with go.yaml.in/yaml/v3, which is neither YAML 1.1 nor 1.2. These are its rules.

type PlainValue = null | boolean | bigint | number | string;

const words = new Map<string, PlainValue>([
  ...["true", "True", "TRUE"].map((word) => [word, true] as const),
  ...["false", "False", "FALSE"].map((word) => [word, false] as const),
  ...["", "~", "null", "Null", "NULL"].map((word) => [word, null] as const),
  ...[".nan", ".NaN", ".NAN"].map((word) => [word, Number.NaN] as const),
  ...[".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"].map((word) => [word, Infinity] as const),
  ...["-.inf", "-.Inf", "-.INF"].map((word) => [word, -Infinity] as const),
]);

/**
 * What an unquoted scalar means to the Collector. Dates stay text: the Collector has no use for its
 * time values and refuses them.
 */
export function resolvePlain(source: string): PlainValue {
  const word = words.get(source);
  if (word !== undefined) return word;
  if (/^\.[0-9]/.test(source)) return toFloat(source) ?? source;
  if (!/^[-+0-9]/.test(source)) return source;
  const digits = source.replaceAll("_", "");
  return toInteger(digits) ?? toFloat(digits) ?? source;
}

/** Integers of 64 bits, signed or not, in the bases that Go knows; a leading 0 means octal. */
function toInteger(text: string): bigint | undefined {
  const [, sign, digits] =
    /^([-+]?)(0[xX][0-9a-fA-F]+|0[oO]?[0-7]+|0[bB][01]+|0|[1-9][0-9]*)$/.exec(text) ?? [];
  if (digits === undefined) return undefined;
  const size = BigInt(/^0[0-7]/.test(digits) ? `0o${digits}` : digits);
  const value = sign === "-" ? -size : size;
  const fits = value >= -(2n ** 63n) && value < (sign === "" ? 2n ** 64n : 2n ** 63n);
  return fits ? value : undefined;
}

function toFloat(text: string): number | undefined {
  if (!/^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$/.test(text)) return undefined;
  const value = Number(text);
  return Number.isFinite(value) ? value : undefined;
}
