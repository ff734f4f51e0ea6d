import { parseArgs } from "node:util";
import { describeError } from "../../foundation/errors.ts";
import { UsageError } from "../command-line.ts";
import type { ApiClient } from "./api-client.ts";

/** What a command of `ctl` works with. */
export interface CtlContext {
  api: ApiClient;
  /** The answer of the server as it is, instead of text for people. */
  json: boolean;
  /** Writes one line of the result. */
  print: (line: string) => void;
  /** Writes one line beside it. */
  warn: (line: string) => void;
  /** Milliseconds since the Unix epoch. */
  now: () => number;
  readFile: (path: string) => Promise<Uint8Array>;
}

/** One command of `ctl`. */
export interface CtlCommand {
  /** What follows `ctl`, and what it does: `agents [SELECTOR]`. */
  usage: string;
  summary: string;
  options?: Readonly<Record<string, CtlOption>>;
  /** Resolves to the exit code. @throws UsageError, ApiError */
  run(context: CtlContext, call: CtlCall): Promise<number>;
}

export interface CtlOption {
  type: "string" | "boolean";
  /** `NAME  what it does`, for the usage. */
  help: string;
  short?: string;
}

/** The arguments of a command, parsed. */
export interface CtlCall {
  positionals: readonly string[];
  text(name: string): string | undefined;
  has(name: string): boolean;
}

/** @throws UsageError */
export function parseCtlCall(args: readonly string[], options: Readonly<Record<string, CtlOption>>): CtlCall {
  try {
    const { values, positionals } = parseArgs({ args: [...args], allowPositionals: true, options });
    return {
      positionals,
      text: (name) => (typeof values[name] === "string" ? values[name] : undefined),
      has: (name) => values[name] === true,
    };
  } catch (error) {
    throw new UsageError(describeError(error));
  }
}

/** The one argument that a command needs. @throws UsageError */
export function onlyArgument({ positionals }: CtlCall, name: string): string {
  const [only, ...more] = positionals;
  if (only === undefined) throw new UsageError(`${name} is missing`);
  if (more.length > 0) throw new UsageError(`unexpected ${more.join(" ")}`);
  return only;
}

/** The selector that may be given. Several arguments are one that was not quoted. @throws UsageError */
export function selectorArgument({ positionals }: CtlCall): string | undefined {
  if (positionals.length === 0) return undefined;
  const selector = positionals.join(" ");
  // As an unset shell variable makes it.
  if (selector.trim() === "") throw new UsageError("SELECTOR is empty: leave it out to mean every agent");
  return selector;
}
