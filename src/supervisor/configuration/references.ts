/** One `${...}` of a configuration text. */
export interface Reference {
  /** `env`, `file`, `yaml`, ...; `env` when none is given. */
  scheme: string;
  /** What follows the scheme. Of a nested one only as far as the inner reference, which stands as `<inner>`. */
  body: string;
  /** It is the whole text, so that it may become a number, a list or a map. */
  whole: boolean;
  /** Another reference is inside it. */
  nested: boolean;
}

/**
 * The references that the Collector may expand in a text, inner ones first. `$${...}` is none. After an
 * escaped one the Collector expands no more of that text; here what follows still counts, to be on the
 * safe side.
 */
export function* findReferences(text: string): Generator<Reference> {
  // Numbers, not objects, and one at a time: a text may have a million of them.
  const opens: number[] = [];
  const inners: number[] = [];
  const next = /\$\{|\}/g;
  for (let found = next.exec(text); found !== null; found = next.exec(text)) {
    const at = found.index;
    if (found[0] === "${") {
      opens.push(at);
      inners.push(-1);
      continue;
    }
    const open = opens.at(-1);
    if (open === undefined || isEscaped(text, open)) continue;
    opens.pop();
    const inner = inners.pop() ?? -1;
    if (inners.at(-1) === -1) inners[inners.length - 1] = open;
    yield toReference(text.slice(open + 2, inner < 0 ? at : inner), {
      whole: open === 0 && at === text.length - 1,
      nested: inner >= 0,
    });
  }
}

/** Whether the Collector may put something else in the place of a part of this text. */
export function hasReference(text: string): boolean {
  return findReferences(text).next().done !== true;
}

function isEscaped(text: string, open: number): boolean {
  let dollars = 0;
  while (text[open - 1 - dollars] === "$") dollars += 1;
  return dollars % 2 === 1;
}

function toReference(content: string, { whole, nested }: Pick<Reference, "whole" | "nested">): Reference {
  const [, scheme = "env", body = content] = /^([A-Za-z][A-Za-z0-9+.-]+):(.*)$/s.exec(content) ?? [];
  return { scheme, body: nested ? `${body}<inner>` : body, whole, nested };
}

/** Name and default of an `env` reference: `NAME` or `NAME:-default`. */
export function parseEnvironmentReference(body: string): { name: string; fallback: string | undefined } {
  const at = body.indexOf(":-");
  if (at < 0) return { name: body, fallback: undefined };
  return { name: body.slice(0, at), fallback: body.slice(at + 2) };
}
