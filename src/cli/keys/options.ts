import { parseArgs } from "node:util";
import { describeError } from "../../foundation/errors.ts";
import { parseDuration } from "../../foundation/settings-file/duration.ts";
import { UsageError } from "../command-line.ts";

const one = { type: "string" } as const;
const several = { type: "string", multiple: true } as const;

const texts = {
  algorithm: one,
  body: one,
  "content-type": one,
  "expires-in": one,
  "instance-uid": one,
  key: one,
  "not-before": one,
  serial: one,
  signature: one,
};
const lists = { audience: several, entry: several, label: several, "public-key": several, rotation: several };
const allOptions = { ...texts, ...lists, empty: { type: "boolean" } } as const;

type Text = keyof typeof texts;
type List = keyof typeof lists;

/** The options of `opamp-supervisor keys`, read. */
export interface KeysOptions {
  positionals: readonly string[];
  empty: boolean;
  text(name: Text): string | undefined;
  /** @throws UsageError when it is missing. */
  required(name: Text): string;
  list(name: List): readonly string[];
}

/** @throws UsageError also for an option that the command does not have. */
export function parseOptions(
  args: readonly string[],
  known: readonly (Text | List | "empty")[],
): KeysOptions {
  const { values, positionals } = parse(args);
  const surplus = Object.keys(values).find((name) => !known.some((each) => each === name));
  if (surplus !== undefined) throw new UsageError(`--${surplus} means nothing here`);
  return {
    positionals,
    empty: values.empty === true,
    text: (name) => values[name],
    required: (name) => {
      const value = values[name];
      if (value === undefined) throw new UsageError(`--${name} is missing`);
      return value;
    },
    list: (name) => values[name] ?? [],
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], allowPositionals: true, options: allOptions });
  } catch (error) {
    throw new UsageError(describeError(error));
  }
}

/** `NAME=VALUE`; the name may be empty. @throws UsageError */
export function parsePair(text: string, option: string): readonly [string, string] {
  const at = text.indexOf("=");
  if (at < 0) throw new UsageError(`--${option} ${text}: expected NAME=VALUE`);
  return [text.slice(0, at), text.slice(at + 1)];
}

/** In seconds. @throws UsageError */
export function parseSpan(text: string): number {
  const [, days] = /^(\d+)d$/.exec(text) ?? [];
  const ms = days === undefined ? parseDuration(text) : Number(days) * 86_400_000;
  if (ms === undefined || ms < 1_000)
    throw new UsageError(`--expires-in ${text}: expected a time such as 12h or 30d`);
  return Math.floor(ms / 1_000);
}

/** In seconds since the Unix epoch. @throws UsageError */
export function parseTime(text: string): number {
  const ms = Date.parse(text);
  if (Number.isNaN(ms))
    throw new UsageError(`--not-before ${text}: expected a time such as 2030-01-31T12:00:00Z`);
  return Math.floor(ms / 1_000);
}

/** @throws UsageError */
export function parseSerial(text: string | undefined, otherwise: number): number {
  const serial = text === undefined ? otherwise : /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(serial) && serial > 0) return serial;
  throw new UsageError(`--serial ${text}: expected a whole number above 0`);
}
