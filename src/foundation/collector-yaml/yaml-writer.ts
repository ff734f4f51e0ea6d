import { createHash } from "node:crypto";
import { resolvePlain } from "./plain-scalar.ts";
import { isList, isTree, type Tree, type Value } from "./tree.ts";

/**
 * YAML that means the same to the Collector's reader, to YAML 1.1 and to YAML 1.2. Keys are sorted,
 * so that equal trees give equal text.
 */
export function writeYaml(tree: Tree): string {
  const parts: string[] = [];
  emit(tree, (text) => parts.push(text));
  return parts.join("");
}

/** SHA-256 in hex of what {@link writeYaml} gives, without ever having it all in memory. */
export function hashYaml(tree: Tree): string {
  const hash = createHash("sha256");
  emit(tree, (text) => hash.update(text));
  return hash.digest("hex");
}

type Sink = (text: string) => void;

/** Large configurations have hundreds of thousands of lines; only so many are objects at a time. */
const linesAtOnce = 1000;

function emit(tree: Tree, sink: Sink): void {
  if (Object.keys(tree).length === 0) {
    sink("{}\n");
    return;
  }
  const lines: string[] = [];
  const flush = () => {
    sink(`${lines.join("\n")}\n`);
    lines.length = 0;
  };
  emitMap(tree, 0, pad(0), (line) => {
    if (lines.push(line) === linesAtOnce) flush();
  });
  if (lines.length > 0) flush();
}

/** `lead` is what stands before the first line, where that is more than the indentation. */
function emitMap(tree: Tree, indent: number, lead: string, sink: Sink): void {
  let before = lead;
  for (const name of Object.keys(tree).sort()) {
    const value = tree[name] ?? null;
    const key = writeText(name);
    // YAML readers take a longer key for one only with the `?` before it.
    const head = key.length > 1000 ? `${before}? ${key}\n${pad(indent)}:` : `${before}${key}:`;
    if (isNested(value)) {
      sink(head);
      emitNested(value, indent + 2, pad(indent + 2), sink);
    } else sink(`${head} ${writeScalar(value)}`);
    before = pad(indent);
  }
}

function emitList(list: readonly Value[], indent: number, lead: string, sink: Sink): void {
  let before = lead;
  for (const value of list) {
    if (isNested(value)) emitNested(value, indent + 2, `${before}- `, sink);
    else sink(`${before}- ${writeScalar(value)}`);
    before = pad(indent);
  }
}

function emitNested(value: Tree | readonly Value[], indent: number, lead: string, sink: Sink): void {
  if (isList(value)) emitList(value, indent, lead, sink);
  else emitMap(value, indent, lead, sink);
}

/** A map or list with something in it. */
function isNested(value: Value): value is Tree | readonly Value[] {
  if (isList(value)) return value.length > 0;
  return isTree(value) && Object.keys(value).length > 0;
}

function writeScalar(value: Value): string {
  if (isList(value)) return "[]";
  if (isTree(value)) return "{}";
  if (typeof value === "string") return writeText(value);
  return typeof value === "number" ? writeFloat(value) : String(value);
}

function writeFloat(value: number): string {
  if (Number.isNaN(value)) return ".nan";
  if (!Number.isFinite(value)) return value > 0 ? ".inf" : "-.inf";
  const text = Object.is(value, -0) ? "-0" : String(value);
  return /^-?[0-9]+$/.test(text) ? `${text}.0` : text;
}

/** Other readers take these for booleans, nulls and numbers. */
const yaml11Words = /^(?:y|yes|n|no|on|off|true|false|null|e[-+]?[0-9]+)$/i;

function writeText(text: string): string {
  const simple = /^[A-Za-z_][\w./-]*(?: [\w./-]+)*$/.test(text) && !yaml11Words.test(text);
  return simple && resolvePlain(text) === text ? text : quoteText(text);
}

/** In double quotes. JSON's escapes are YAML's; what YAML readers refuse or fold beyond JSON is escaped too. */
export function quoteText(text: string): string {
  return JSON.stringify(text.toWellFormed()).replaceAll(
    /[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function pad(indent: number): string {
  return " ".repeat(indent);
}
