// What an example file says of each key: the comment above it, and the value that it shows.
import { parse } from "yaml";

const keyLine = /^\s*([\w.-]+):(?: (.*))?$/;

/**
 * `isKey` and `isSection` tell of a path such as `server.tls` what it is. The result has for each path that is there `text`,
 * `addition`, `value`, which is undefined where the value stands on lines of its own, and `follows`, the key right above.
 */
export function readComments(example, { isKey, isSection }) {
  const found = new Map();
  const above = [];
  const open = [];
  let follows;
  for (const raw of example.split("\n")) {
    const key = keysIn(raw)
      .map((each) => ({ ...each, path: pathOf(open, each) }))
      .find(({ path }) => isKey(path));
    const indent = uncomment(raw).search(/\S/);
    const last = open.at(-1);
    if (key !== undefined) {
      const { path, name, rest } = key;
      open.splice(depthOf(open, key), open.length, { name, indent: key.indent, leaf: !isSection(path) });
      const words = describe(above.splice(0), rest);
      if (!found.has(path)) found.set(path, { ...words, follows: words.text === "" ? follows : undefined });
      follows = path;
    } else if (indent === -1) {
      above.length = 0;
      follows = undefined;
    } else if (!(last?.leaf && indent > last.indent)) {
      // The words within a leaf's own value are no description of what follows it.
      if (/^\s*#/.test(raw)) above.push(raw.replace(/^[\s#]+/, ""));
    }
  }
  return found;
}

/** The line as a key, and as one that is commented out within what is commented out. */
function keysIn(raw) {
  const once = uncomment(raw);
  return [once, uncomment(once)].flatMap((line) => {
    const [, name, rest] = keyLine.exec(line) ?? [];
    return name === undefined ? [] : [{ name, rest, indent: line.search(/\S/) }];
  });
}

function uncomment(line) {
  return line.replace(/^(\s*)# (\s*(- |# |[\w.-]+:( |$)).*)$/, "$1$2");
}

function depthOf(open, { indent }) {
  return open.filter((each) => each.indent < indent).length;
}

function pathOf(open, key) {
  const parents = open.slice(0, depthOf(open, key));
  return [...parents.map(({ name }) => name), key.name].join(".");
}

function describe(lines, rest) {
  const words = lines.join(" ");
  const value = rest === undefined || rest.trim() === "" ? undefined : parse(rest);
  return { text: words.replaceAll("[addition] ", ""), addition: words.includes("[addition]"), value };
}
