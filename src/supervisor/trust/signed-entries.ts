import { digestFields } from "../../foundation/field-digest.ts";
import type { AgentConfigMap } from "../../opamp/messages.ts";
import { isTrustEntry, signatureContentType } from "../../opamp/trust-entries.ts";

/** Entries of a configuration map by name. */
export type Entries = Readonly<Record<string, { readonly body: Uint8Array; readonly contentType: string }>>;

/** The entries that are the Collector's configuration. None at all is the order to stop it. */
export function configurationEntries(map: Pick<AgentConfigMap, "configMap"> | undefined): Entries {
  const entries = Object.entries(map?.configMap ?? {});
  return Object.fromEntries(entries.filter(([, entry]) => !isTrustEntry(entry)));
}

/**
 * What a signature is over: `sha-256:` and, in base64url, the SHA-256 of the text
 * `opamp-supervisor configuration entries v1` and of name, content type and body of each entry but the signature,
 * entries in the order of their names as UTF-8 bytes, each of all these preceded by its length in bytes as 64 bits,
 * most significant first. So no two different maps give the same bytes.
 */
export function digestOfEntries(entries: Entries): string {
  const signed = Object.entries(entries)
    .filter(([, { contentType }]) => contentType !== signatureContentType)
    .map(([name, entry]) => ({ name: Buffer.from(name), ...entry }))
    .sort((a, b) => Buffer.compare(a.name, b.name));
  const fields = signed.flatMap(({ name, contentType, body }) => [name, contentType, body]);
  return `sha-256:${digestFields(["opamp-supervisor configuration entries v1", ...fields]).toString("base64url")}`;
}

/**
 * How a statement stands in its entry: behind `# `, so that an Agent that knows no content types reads a comment of
 * YAML and not a broken configuration.
 */
export function toEntryText(jws: string): string {
  return `# ${jws}\n`;
}

const maxStatementBytes = 64 * 1024;

/** The JWS in an entry; undefined when it holds none. Nothing else may stand in it. */
export function fromEntryText(body: Uint8Array): string | undefined {
  if (body.length > maxStatementBytes) return undefined;
  return /^# ([\w-]+\.[\w-]+\.[\w-]+)\n$/.exec(Buffer.from(body).toString("latin1"))?.[1];
}
