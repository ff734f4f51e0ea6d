import { readFile } from "node:fs/promises";
import { isTrustEntry, rotationContentType, signatureContentType } from "../../opamp/trust-entries.ts";
import type { Entries } from "../../supervisor/trust/signed-entries.ts";
import { UsageError } from "../command-line.ts";
import { type KeysOptions, parsePair } from "./options.ts";

export const entryOptions = ["entry", "empty", "content-type", "rotation"] as const;

/** The names of entries that are about trust; any others would do. */
const signatureName = "opamp-signature";
const rotationName = "opamp-key-rotation";

/** The entries that are signed, as the options name their files. @throws UsageError */
export async function readEntries(options: KeysOptions): Promise<Entries> {
  const contentType = options.text("content-type") ?? "text/yaml";
  if (isTrustEntry({ contentType }))
    throw new UsageError(`--content-type ${contentType} is for another entry`);
  const [file, ...more] = options.positionals;
  const named = options.list("entry").map((text) => parsePair(text, "entry"));
  const ways = [file !== undefined, named.length > 0, options.empty].filter(Boolean);
  if (ways.length !== 1 || more.length > 0)
    throw new UsageError("expected one FILE, or --entry NAME=FILE for each entry, or --empty");
  const files = file === undefined ? named : [["", file] as const];
  const rotations = options.list("rotation");
  const entries = [
    ...files.map(([name, path]) => [name, path, contentType] as const),
    ...rotations.map((path, index) => [numbered(rotationName, index), path, rotationContentType] as const),
  ];
  const names = new Set(entries.map(([name]) => name));
  if (names.size < entries.length) throw new UsageError("two entries have the same name");
  const read = entries.map(async ([name, path, type]) => [name, await toEntry(path, type)] as const);
  return Object.fromEntries(await Promise.all(read));
}

const numbered = (name: string, index: number) => (index === 0 ? name : `${name}-${index + 1}`);

async function toEntry(path: string, contentType: string) {
  return { body: new Uint8Array(await readFile(path)), contentType };
}

/** The entries with the signature as one more. */
export function withSignature(entries: Entries, body: Uint8Array): Entries {
  return { ...entries, [signatureName]: { body, contentType: signatureContentType } };
}

/** A body for `POST /api/v1/config`. @throws Error for an entry that is not UTF-8. */
export function toRequestBody(entries: Entries): string {
  const written = Object.entries(entries).map(([name, { body, contentType }]) => {
    return [name, { content_type: contentType, body: textOf(name, body) }] as const;
  });
  return `${JSON.stringify({ entries: Object.fromEntries(written) }, undefined, 2)}\n`;
}

function textOf(name: string, body: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body);
  } catch {
    throw new Error(`the entry "${name}" is not UTF-8 text`);
  }
}
