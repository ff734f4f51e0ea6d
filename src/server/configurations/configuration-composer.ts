import { create } from "@bufbuild/protobuf";
import { AgentRemoteConfigSchema } from "../../opamp/messages.ts";
import type { Composer, OfferPart } from "../offers/lane.ts";
import type { Configuration } from "./configuration.ts";
import { insertSecrets, type ReadSecret } from "./secret-reference.ts";

/** Makes offers of configurations; secrets are put in here, so that nothing that is kept or shown has them. */
export function configurationComposer(readSecret: ReadSecret): Composer<Configuration> {
  // One message for all whom it is offered to is encoded once. With secrets it is made anew: these may have changed.
  const whole = new WeakMap<Configuration, OfferPart>();
  return {
    compose(configuration) {
      const { map, hash, secrets } = configuration;
      const known = whole.get(configuration);
      if (known !== undefined) return { part: known };
      const filled = fillSecrets(map.configMap, secrets, readSecret);
      if ("impossible" in filled) return filled;
      const config = { configMap: filled.entries };
      const part = { remoteConfig: create(AgentRemoteConfigSchema, { config, configHash: hash }) };
      if (secrets.length === 0) whole.set(configuration, part);
      return { part };
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
