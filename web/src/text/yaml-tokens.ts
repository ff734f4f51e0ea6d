/** A piece of a line of YAML, for colour only: nothing is decided by it. */
export interface YamlToken {
  readonly t: "plain" | "key" | "string" | "number" | "comment" | "mark";
  readonly text: string;
}

const keyLine = /^(\s*(?:- +)*)((?:"(?:[^"\\]|\\.)*"|'[^']*'|[^\s#:'"[\]{}][^#:]*?))(\s*:)(?=\s|$)/;

/** The tokens of one line; put together they are the line. */
export function yamlTokens(line: string): YamlToken[] {
  const key = keyLine.exec(line);
  const tokens: YamlToken[] = [];
  let rest = line;
  if (key !== null) {
    const [all, lead = "", name = "", colon = ""] = key;
    tokens.push({ t: "mark", text: lead }, { t: "key", text: name }, { t: "mark", text: colon });
    rest = line.slice(all.length);
  } else {
    const [lead = ""] = /^\s*(?:-(?=\s|$)\s*)*/.exec(line) ?? [];
    tokens.push({ t: "mark", text: lead });
    rest = line.slice(lead.length);
  }
  const comment = /(^|\s)#.*$/.exec(/^\s*["']/.test(rest) ? "" : rest);
  const value = comment === null ? rest : rest.slice(0, comment.index);
  tokens.push({ t: kindOf(value.trim()), text: value });
  if (comment !== null) tokens.push({ t: "comment", text: rest.slice(comment.index) });
  return tokens.filter(({ text }) => text !== "");
}

function kindOf(value: string): YamlToken["t"] {
  if (/^["'].*["']$/.test(value)) return "string";
  return /^(true|false|null|~|-?\d[\d.eE+_-]*(ms|s|m|h)?)$/.test(value) ? "number" : "plain";
}
