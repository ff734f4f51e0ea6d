import { resolvePlain } from "./plain-scalar.ts";
import { isList, isTree, type Tree, type Value } from "./tree.ts";

/**
 * YAML that means the same to the Collector's reader, to YAML 1.1 and to YAML 1.2. Keys are sorted,
 * so that equal trees give equal text.
 */
export function writeYaml(tree: Tree): string {
  if (Object.keys(tree).length === 0) return "{}\n";
  return `${writeMap(tree, 0).join("\n")}\n`;
}

function writeMap(tree: Tree, indent: number): string[] {
  return Object.entries(tree)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([name, value]) => {
      const key = writeText(name);
      // YAML readers take a longer key for one only with the `?` before it.
      const head = key.length > 1000 ? `${pad(indent)}? ${key}\n${pad(indent)}:` : `${pad(indent)}${key}:`;
      const nested = writeNested(value, indent + 2);
      return nested.length === 0 ? [`${head} ${writeScalar(value)}`] : [head, ...nested];
    });
}

function writeList(list: readonly Value[], indent: number): string[] {
  return list.flatMap((value) => {
    const [first, ...rest] = writeNested(value, indent + 2);
    const item = first === undefined ? writeScalar(value) : first.trimStart();
    return [`${pad(indent)}- ${item}`, ...rest];
  });
}

/** The lines of a map or list; none for a scalar or something empty. */
function writeNested(value: Value, indent: number): string[] {
  if (isTree(value)) return writeMap(value, indent);
  return isList(value) ? writeList(value, indent) : [];
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
  return simple && resolvePlain(text) === text ? text : quote(text);
}

/** JSON's escapes are YAML's; what YAML readers refuse or fold beyond JSON is escaped too. */
function quote(text: string): string {
  return JSON.stringify(text.toWellFormed()).replaceAll(
    /[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function pad(indent: number): string {
  return " ".repeat(indent);
}
