import { isList, isTree, type Tree, type Value } from "../../foundation/collector-yaml/tree.ts";
import { YamlProblem } from "../../foundation/collector-yaml/yaml-problem.ts";
import { readYaml } from "../../foundation/collector-yaml/yaml-reader.ts";
import { changeMarkHeader } from "./extension-fragment.ts";
import { isSecretKey, redacted, urlSecrets } from "./redact.ts";
import { findReferences, hasReference, parseEnvironmentReference, type Reference } from "./references.ts";
import { foldCase, writtenForms } from "./secret-forms.ts";

/** How `${env:}` and `${file:}` of the Collector's configuration are looked up. */
export interface SecretReaders {
  /** From the environment that the Collector gets. */
  env(name: string): string | undefined;
  /** Relative paths are the Collector's, so relative to its working directory. */
  readFile(path: string): Promise<string>;
}

/** Shorter values would hide half of every text. */
const minSecretLength = 4;

/** References that lead to references end here. */
const maxReferenceDepth = 5;

/**
 * The secret values of a configuration: what {@link redact} hides, and what `${env:}` and `${file:}`
 * resolve to, but for plain numbers of at most five digits such as ports. Of a resolved map only what
 * sounds secret counts. A file that cannot be read has none.
 */
export async function collectSecrets(tree: Tree, readers: SecretReaders): Promise<Set<string>> {
  const collector = new Collection(readers);
  await collector.visit(tree, { secret: false, key: "", depth: 0 });
  return collector.secrets;
}

interface Position {
  secret: boolean;
  key: string;
  depth: number;
}

class Collection {
  readonly secrets = new Set<string>();
  readonly #readers: SecretReaders;
  readonly #visited = new Set<string>();

  constructor(readers: SecretReaders) {
    this.#readers = readers;
  }

  async visit(value: Value, position: Position): Promise<void> {
    if (isList(value)) {
      for (const item of value) await this.visit(item, position);
    } else if (isTree(value)) {
      for (const [key, item] of Object.entries(value)) {
        // The mark is the name of a snapshot on disk, which one must be able to find.
        const secret = key !== changeMarkHeader && (position.secret || isSecretKey(key, position.key));
        await this.visit(item, { ...position, secret, key });
      }
    } else if (typeof value === "string") {
      await this.#visitText(value, position);
    } else if (position.secret && typeof value !== "boolean" && value !== null) {
      this.#add(String(value));
    }
  }

  async #visitText(text: string, position: Position): Promise<void> {
    const plain = text.replaceAll("$$", "$");
    for (const secret of urlSecrets(plain)) this.#add(secret);
    if (position.secret && !hasReference(text)) this.#add(plain);
    for (const reference of findReferences(text)) {
      // One text may have a million of them, and each may be a file to read.
      const { scheme, body } = reference;
      const what = `${position.depth} ${position.secret} ${position.key} ${scheme}:${body}`;
      if (this.#visited.has(what)) continue;
      this.#visited.add(what);
      await this.#visitReference(reference, position);
    }
  }

  async #visitReference(reference: Reference, position: Position): Promise<void> {
    if (reference.nested || position.depth >= maxReferenceDepth) return;
    const { text, written } = await this.#resolve(reference);
    if (text === undefined) return;
    const next = { ...position, depth: position.depth + 1 };
    const tree = asTree(text);
    if (tree !== undefined) {
      await this.visit(tree, next);
      return;
    }
    await this.#visitText(text, next);
    const counts = position.secret || (!written && !/^(?:\d{1,5}|true|false|null)$/i.test(text.trim()));
    if (counts) this.#add(text);
  }

  /** `written`: the value stands in the configuration itself. */
  async #resolve({ scheme, body }: Reference): Promise<{ text: string | undefined; written: boolean }> {
    switch (scheme) {
      case "env": {
        const { name, fallback } = parseEnvironmentReference(body);
        const text = this.#readers.env(name);
        return text === undefined ? { text: fallback, written: true } : { text, written: false };
      }
      case "file":
        return { text: await this.#readers.readFile(body).catch(() => undefined), written: false };
      case "yaml":
        return { text: body, written: true };
      default:
        return { text: undefined, written: true };
    }
  }

  #add(value: string): void {
    const text = value.trim();
    const [, , credential] = /^(bearer|basic|token|apikey|digest)\s+(.+)$/is.exec(text) ?? [];
    const lines = text.includes("\n") ? text.split("\n").map((line) => line.trim()) : [];
    for (const secret of [text, credential, ...lines.filter(isTellingLine)]) {
      if (secret !== undefined && secret.length >= minSecretLength) this.secrets.add(secret);
    }
  }
}

/** A line of a longer secret that by itself must not be shown either. */
function isTellingLine(line: string): boolean {
  return line.length >= 8 && !line.startsWith("-----");
}

function asTree(text: string): Tree | undefined {
  try {
    const tree = readYaml(text);
    return Object.keys(tree).length === 0 ? undefined : tree;
  } catch (error) {
    if (error instanceof YamlProblem) return undefined;
    throw error;
  }
}

/**
 * Replaces known secret values in texts that leave this process: logs, reasons, reports. In any case and
 * in the quotes of the usual formats, because the Collector's messages show values in all of them.
 */
export class SecretMasker {
  /** By their first characters, the longest first. */
  readonly #byStart = new Map<string, string[]>();

  /** Values shorter than four characters are not masked. */
  constructor(secrets: Iterable<string>) {
    const known = new Set<string>();
    for (const secret of secrets) {
      if (secret.length < minSecretLength) continue;
      for (const form of writtenForms(secret)) known.add(foldCase(form));
    }
    for (const secret of known) {
      const start = secret.slice(0, minSecretLength);
      const others = this.#byStart.get(start);
      if (others === undefined) this.#byStart.set(start, [secret]);
      else others.push(secret);
    }
    for (const alike of this.#byStart.values()) alike.sort((a, b) => b.length - a.length);
  }

  /** The text with every secret replaced, also where two of them overlap. */
  mask(text: string): string {
    const folded = foldCase(text);
    let masked = "";
    let end = 0;
    for (let at = 0; at + minSecretLength <= text.length; at += 1) {
      const alike = this.#byStart.get(folded.slice(at, at + minSecretLength));
      const secret = alike?.find((each) => folded.startsWith(each, at));
      if (secret === undefined) continue;
      if (at >= end) masked += text.slice(end, at) + redacted;
      end = Math.max(end, at + secret.length);
    }
    return masked + text.slice(end);
  }
}
