/** One `${...}` of a configuration text. */
export interface Reference {
  /** `env`, `file`, `yaml`, ...; `env` when none is given. */
  scheme: string;
  /** What follows the scheme; inner references stand as `<inner>`. */
  body: string;
  /** It is the whole text, so that it may become a number, a list or a map. */
  whole: boolean;
  /** Another reference is inside it. */
  nested: boolean;
}

/**
 * The references that the Collector may expand in a text. `$${...}` is none. After an escaped one the
 * Collector expands no more of that text; here what follows still counts, to be on the safe side.
 */
export function findReferences(text: string): Reference[] {
  const found: Reference[] = [];
  // Inner references are taken out first, as the Collector does it, until nothing is left.
  let rest = text;
  for (let from = 0; ; ) {
    const close = rest.indexOf("}", from);
    if (close < 0) return found;
    const open = rest.lastIndexOf("${", close);
    if (open < 0 || isEscaped(rest, open)) {
      from = close + 1;
      continue;
    }
    found.push(toReference(rest.slice(open + 2, close), open === 0 && close === rest.length - 1));
    rest = `${rest.slice(0, open)}${innerMark}${rest.slice(close + 1)}`;
    from = 0;
  }
}

const innerMark = "\u0000";

function isEscaped(text: string, open: number): boolean {
  let dollars = 0;
  while (text[open - 1 - dollars] === "$") dollars += 1;
  return dollars % 2 === 1;
}

function toReference(content: string, whole: boolean): Reference {
  const [, scheme = "env", body = content] = /^([A-Za-z][A-Za-z0-9+.-]+):(.*)$/s.exec(content) ?? [];
  return { scheme, body: body.replaceAll(innerMark, "<inner>"), whole, nested: content.includes(innerMark) };
}

/** Name and default of an `env` reference: `NAME` or `NAME:-default`. */
export function parseEnvironmentReference(body: string): { name: string; fallback: string | undefined } {
  const at = body.indexOf(":-");
  if (at < 0) return { name: body, fallback: undefined };
  return { name: body.slice(0, at), fallback: body.slice(at + 2) };
}
