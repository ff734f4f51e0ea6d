import { normalize } from "node:path";
import { describeError } from "../errors.ts";

/**
 * The first `${…}` of a text that is to be expanded, innermost first, or undefined.
 * A reference behind an odd number of further `$` is escaped and hides those behind it, as in the
 * Collector's confmap.
 */
export function findReference(text: string): string | undefined {
  for (let from = 0; ; ) {
    const close = text.indexOf("}", from);
    if (close < 0) return undefined;
    const open = text.slice(from, close).lastIndexOf("${");
    if (open < 0) {
      from = close + 1;
      continue;
    }
    const start = from + open;
    let dollars = 0;
    while (start - dollars - 1 >= from && text[start - dollars - 1] === "$") dollars += 1;
    return dollars % 2 === 1 ? undefined : text.slice(start, close + 1);
  }
}

/** Where references lead to. */
export interface ReferenceSources {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly readFile: (path: string) => string;
}

/** What a reference stands for. `name` is how to speak of it: without a default, which may be a secret. */
export type Resolved =
  | { ok: true; name: string; text: string; unsetVariable: boolean }
  | { ok: false; name: string; message: string };

/**
 * Resolves `${env:X}`, `${X}`, `${env:X:-default}` or `${file:/path}`.
 * A variable that is not set is empty text; every other failure has a message that names the reference.
 */
export function resolveReference(reference: string, sources: ReferenceSources): Resolved {
  const inner = reference.slice(2, -1);
  const uri = inner.includes(":") ? inner : `env:${inner}`;
  const [, scheme, rest] = /^([A-Za-z][A-Za-z0-9+.-]+):(.*)$/s.exec(uri) ?? [];
  const name = scheme === "env" ? `\${env:${rest?.split(":-")[0]}}` : reference;
  // What looks like a reference by mistake may be part of a password, and is not shown.
  const fail = (message: string): Resolved => ({ ok: false, name, message });
  if (scheme === undefined || rest === undefined) {
    return fail(`expected \${env:NAME} or \${file:/path}; write $$ for a dollar sign`);
  }
  if (rest.includes("$")) return fail("a reference must not contain a dollar sign");
  if (scheme === "env") return resolveVariable(rest, name, sources);
  if (scheme === "file") return resolveFile(rest, name, sources);
  return fail(
    `unknown scheme ${JSON.stringify(scheme)} of a reference; expected env or file, or $$ for a dollar sign`,
  );
}

function resolveVariable(rest: string, name: string, { env }: ReferenceSources): Resolved {
  const [variable = "", ...others] = rest.split(":-");
  if (!/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(variable)) {
    const message =
      "a reference does not name an environment variable: expected letters, digits and underscores";
    return { ok: false, name, message };
  }
  const value = env[variable];
  const fallback = others.length === 0 ? undefined : others.join(":-");
  return { ok: true, name, text: value ?? fallback ?? "", unsetVariable: (value ?? fallback) === undefined };
}

function resolveFile(rest: string, name: string, { readFile }: ReferenceSources): Resolved {
  try {
    return { ok: true, name, text: readFile(normalize(rest)), unsetVariable: false };
  } catch (error) {
    return { ok: false, name, message: `cannot read the file of ${name}: ${describeError(error)}` };
  }
}
