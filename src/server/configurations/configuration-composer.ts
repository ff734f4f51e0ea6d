import type { Composer } from "../offers/lane.ts";
import type { Configuration } from "./configuration.ts";
import { insertSecrets, type ReadSecret } from "./secret-reference.ts";

/** Makes offers of configurations; secrets are put in here, so that nothing that is kept or shown has them. */
export function configurationComposer(readSecret: ReadSecret): Composer<Configuration> {
  return {
    compose({ map, hash, secrets }) {
      const filled = fillSecrets(map.configMap, secrets, readSecret);
      if ("impossible" in filled) return filled;
      return { part: { remoteConfig: { config: { configMap: filled.entries }, configHash: hash } } };
    },
  };
}

type Entries = Configuration["map"]["configMap"];

/** The entries with the texts of their secrets. */
export function fillSecrets(
  entries: Entries,
  names: readonly string[],
  readSecret: ReadSecret,
): { entries: Entries; texts: readonly string[] } | { impossible: string } {
  const secrets = new Map<string, string>();
  for (const name of names) {
    const secret = readSecret(name);
    if ("problem" in secret) return { impossible: secret.problem };
    secrets.set(name, secret.text);
  }
  if (secrets.size === 0) return { entries, texts: [] };
  const filled = Object.entries(entries).map(([name, entry]) => {
    const text = insertSecrets(new TextDecoder().decode(entry.body), secrets);
    return [name, { ...entry, body: Buffer.from(text) }] as const;
  });
  return { entries: Object.fromEntries(filled), texts: [...secrets.values()] };
}
