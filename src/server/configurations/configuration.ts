import { createHash } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { type AgentConfigMap, AgentConfigMapSchema } from "../../opamp/messages.ts";

/** What an Agent is to run: the entries as they go over the wire, and the hash that names them. */
export interface Configuration {
  readonly map: AgentConfigMap;
  /** SHA-256 over names, content types and bodies; equal exactly for equal entries (SC3). */
  readonly hash: Uint8Array;
  /** The hash as people and JSON see it. */
  readonly hashHex: string;
}

/** One entry of a configuration map. */
export interface ConfigurationEntry {
  body: Uint8Array;
  /** MIME type, or empty for unspecified. */
  contentType: string;
}

/** A configuration of named entries. None at all is the order to stop the Collector (SC5). */
export function createConfiguration(entries: Readonly<Record<string, ConfigurationEntry>>): Configuration {
  const hash = hashEntries(entries);
  return {
    map: create(AgentConfigMapSchema, { configMap: { ...entries } }),
    hash: new Uint8Array(hash),
    hashHex: hash.toString("hex"),
  };
}

/** Every field is preceded by its length, so that no two different maps read the same. */
function hashEntries(entries: Readonly<Record<string, ConfigurationEntry>>): Buffer {
  const digest = createHash("sha256");
  const field = (bytes: Uint8Array) => {
    const length = Buffer.alloc(8);
    length.writeBigUInt64BE(BigInt(bytes.length));
    digest.update(length).update(bytes);
  };
  const byName = Object.entries(entries).sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [name, entry] of byName) {
    field(Buffer.from(name));
    field(Buffer.from(entry.contentType));
    field(entry.body);
  }
  return digest.digest();
}
