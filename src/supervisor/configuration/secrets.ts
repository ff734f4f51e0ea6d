import { isSecretKey, redacted, urlSecrets } from "./redact.ts";
import { findReferences, parseEnvironmentReference, type Reference } from "./references.ts";
import { isList, isTree, type Tree, type Value } from "./tree.ts";
import { readYaml, YamlProblem } from "./yaml-reader.ts";

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

  constructor(readers: SecretReaders) {
    this.#readers = readers;
  }

  async visit(value: Value, position: Position): Promise<void> {
    if (isList(value)) {
      for (const item of value) await this.visit(item, position);
    } else if (isTree(value)) {
      for (const [key, item] of Object.entries(value)) {
        const secret = position.secret || isSecretKey(key, position.key);
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
    const references = findReferences(text);
    if (references.length === 0 && position.secret) this.#add(plain);
    for (const reference of references) await this.#visitReference(reference, position);
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

/** Replaces known secret values in texts that leave this process: logs, reasons, reports. */
export class SecretMasker {
  readonly #secrets: readonly string[];

  /** Values shorter than four characters are not masked. */
  constructor(secrets: Iterable<string>) {
    const usable = [...secrets].filter((secret) => secret.length >= minSecretLength);
    // The Collector's log is JSON, where a quote or a newline of a secret is escaped.
    this.#secrets = [...new Set(usable.flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1)]))];
  }

  /** The text with every secret replaced, also where two of them overlap. */
  mask(text: string): string {
    let masked = "";
    let end = 0;
    for (const span of this.#spans(text)) {
      if (span.start >= end) masked += text.slice(end, span.start) + redacted;
      end = Math.max(end, span.end);
    }
    return masked + text.slice(end);
  }

  #spans(text: string): { start: number; end: number }[] {
    const spans: { start: number; end: number }[] = [];
    for (const secret of this.#secrets) {
      for (let at = text.indexOf(secret); at >= 0; at = text.indexOf(secret, at + 1)) {
        spans.push({ start: at, end: at + secret.length });
      }
    }
    return spans.sort((a, b) => a.start - b.start || b.end - a.end);
  }
}
