/** One node of a settings file after its references were expanded. */
export interface SettingValue {
  readonly data: SettingData;
  /** What a field of text takes: `007` stays `007`. Undefined for lists and maps that were written out. */
  readonly text: string | undefined;
  /** The reference it came from, such as `${env:TOKEN}`. Then nothing of it may be shown. */
  readonly origin: string | undefined;
  /** Of the key, or of the list item. From 1. */
  readonly line: number;
  readonly column: number;
  /** A reference in it failed and was reported; further complaints would only mislead. */
  readonly broken: boolean;
}

/** What the YAML says. */
export type SettingData =
  | string
  | number
  | boolean
  | null
  | readonly SettingValue[]
  | ReadonlyMap<string, SettingValue>;

export function isMap(data: SettingData): data is ReadonlyMap<string, SettingValue> {
  return data instanceof Map;
}

export function isList(data: SettingData): data is readonly SettingValue[] {
  return Array.isArray(data);
}

/** The value, or undefined where the key stands alone (`agent:`) or its variable is not set: the same as no key. */
export function present(value: SettingValue | undefined): SettingValue | undefined {
  return value?.data === null && value.text === "" ? undefined : value;
}

const maxShownLength = 80;

/** Ends "expected a duration, got …" without showing what came from a reference. */
export function describeValue(value: SettingValue): string {
  if (value.origin !== undefined) return `the value of ${value.origin}`;
  if (typeof value.data === "string" && value.data.length <= maxShownLength)
    return JSON.stringify(value.data);
  if (typeof value.data === "number" || typeof value.data === "boolean")
    return value.text ?? String(value.data);
  return describeKind(value);
}

/** The same for fields that take a list or a map: what stands there by mistake may be a secret. */
export function describeKind(value: SettingValue): string {
  if (value.origin !== undefined) return `the value of ${value.origin}`;
  if (isMap(value.data)) return "a map";
  if (isList(value.data)) return "a list";
  if (value.data === null) return "nothing";
  return typeof value.data === "string" ? "text" : `a ${typeof value.data}`;
}

/** Plain YAML data: what parts of the file that are handed on become. */
export function toPlainData(value: SettingValue): unknown {
  const { data } = value;
  if (isMap(data)) return Object.fromEntries([...data].map(([key, child]) => [key, toPlainData(child)]));
  return isList(data) ? data.map(toPlainData) : data;
}

/** The node a path leads to, or the last one on the way that exists. */
export function findNode(root: SettingValue, path: readonly (string | number)[]): SettingValue {
  let node = root;
  for (const step of path) {
    const child = childOf(node.data, step);
    if (child === undefined) return node;
    node = child;
  }
  return node;
}

function childOf(data: SettingData, step: string | number): SettingValue | undefined {
  if (isMap(data)) return data.get(String(step));
  return isList(data) && typeof step === "number" ? data[step] : undefined;
}
