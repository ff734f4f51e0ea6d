/** Part of a YAML text that can be read by itself. */
export interface Section {
  text: string;
  /** Lines before it. */
  line: number;
  /** The key whose value, a map, it is; undefined for some entries of the map that was cut. */
  key: string | undefined;
}

const plainKey = String.raw`[A-Za-z_][\w./-]*:(?=[ \t\r\n])`;

/**
 * Cuts a block map into entries of about `size` characters; a larger entry is a section of its own, or its
 * value is. Undefined where the lines alone do not tell: nothing is guessed.
 */
export function cutMap(text: string, size: number): Section[] | undefined {
  const start = firstContent(text);
  const indent = indentOfEntry(text, start);
  if (indent === undefined) return undefined;
  // A second document, a directive, or keys on which others of the map depend.
  const obstacle = new RegExp(`(?<=\\n)(?:---|\\.\\.\\.|%|${indent}(?:<<|\\?))`, "g");
  obstacle.lastIndex = start + 1;
  if (obstacle.test(text)) return undefined;
  return [...group(text, entryStarts(text, start, indent), size)].map((part) => asValue(part, size));
}

/** Where the first line begins that is neither empty nor a comment nor the start of the document. */
function firstContent(text: string): number {
  let at = 0;
  let marks = 0;
  for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", at)) {
    const line = /^(---)?[ \t]*(?:#|\r?$)/.exec(text.slice(at, Math.min(end, at + 1000)));
    if (line === null) break;
    if (line[1] !== undefined) marks += 1;
    if (marks > 1) break;
    at = end + 1;
  }
  return at;
}

/** The spaces before the plain key at which a map begins. */
function indentOfEntry(text: string, start: number): string | undefined {
  const entry = new RegExp(`( *)${plainKey}`, "y");
  entry.lastIndex = start;
  return entry.exec(text)?.[1];
}

/** Where entries begin. In a block map nothing but an entry has a plain key in this column. */
function* entryStarts(text: string, start: number, indent: string): Generator<number> {
  const entry = new RegExp(`(?<=\\n)${indent}${plainKey}`, "g");
  entry.lastIndex = start + indent.length + 1;
  for (let found = entry.exec(text); found !== null; found = entry.exec(text)) yield found.index;
}

function* group(text: string, starts: Iterable<number>, size: number): Generator<Section> {
  let from = 0;
  let end = 0;
  let line = 0;
  const section = (): Section => {
    const part = { text: text.slice(from, end), line, key: undefined };
    line += linesOf(part.text);
    from = end;
    return part;
  };
  for (const start of [...starts, text.length]) {
    if (start - from > size && end > from) yield section();
    end = start;
  }
  if (end > from) yield section();
}

/** A large entry with nothing but a map below its key is as good as that map. */
function asValue(section: Section, size: number): Section {
  const { text } = section;
  if (text.length <= size) return section;
  const start = firstContent(text);
  const [head, indent = "", key] =
    /^( *)([^:]*):[ \t]*(?:#[^\n]*)?\r?\n/.exec(text.slice(start, start + 1000)) ?? [];
  if (head === undefined) return section;
  const value = text.slice(start + head.length);
  const below = indentOfEntry(value, firstContent(value));
  if (below === undefined || below.length <= indent.length) return section;
  // What stands further left belongs to the map above, though it has no plain key.
  if (new RegExp(`(?<![^\\n]) {0,${below.length - 1}}[^\\s#]`).test(value)) return section;
  return { text: value, line: section.line + linesOf(text.slice(0, start + head.length)), key };
}

function linesOf(text: string): number {
  let lines = 0;
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) lines += 1;
  return lines;
}
