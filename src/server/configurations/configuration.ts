import { create } from "@bufbuild/protobuf";
import { digestFields } from "../../foundation/field-digest.ts";
import { type AgentConfigMap, AgentConfigMapSchema } from "../../opamp/messages.ts";

/** What an Agent is to run: the entries as they go over the wire, and the hash that names them. */
export interface Configuration {
  readonly map: AgentConfigMap;
  /** SHA-256 over names, content types and bodies; equal exactly for equal entries (SC3). */
  readonly hash: Uint8Array;
  /** The hash as people and JSON see it. */
  readonly hashHex: string;
  /** Names of this server's secrets that its text refers to; their texts are in no entry and not in the hash. */
  readonly secrets: readonly string[];
}

/** One entry of a configuration map. */
export interface ConfigurationEntry {
  body: Uint8Array;
  /** MIME type, or empty for unspecified. */
  contentType: string;
}

/** A configuration of named entries. None at all is the order to stop the Collector (SC5). */
export function createConfiguration(
  entries: Readonly<Record<string, ConfigurationEntry>>,
  secrets: readonly string[] = [],
): Configuration {
  const hash = hashEntries(entries);
  return {
    map: create(AgentConfigMapSchema, { configMap: { ...entries } }),
    hash: new Uint8Array(hash),
    hashHex: hash.toString("hex"),
    secrets,
  };
}

/**
 * The same configuration under another hash, so that Agents which refuse the old one try it again. The hash is the
 * server's own name for it, and no Agent computes it. `issue` tells one time from the next.
 */
export function reissued({ map, hash, secrets }: Configuration, issue: string): Configuration {
  const renamed = digestFields(["re-issued", issue, hash]);
  return { map, hash: new Uint8Array(renamed), hashHex: renamed.toString("hex"), secrets };
}

function hashEntries(entries: Readonly<Record<string, ConfigurationEntry>>): Buffer {
  const byName = Object.entries(entries).sort(([a], [b]) => (a < b ? -1 : 1));
  return digestFields(byName.flatMap(([name, { contentType, body }]) => [name, contentType, body]));
}
