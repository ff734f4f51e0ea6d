import type { ApiKey } from "../access/keys.ts";
import type { Credential } from "./expiring.ts";

export interface CredentialSources {
  keys: { list(): Promise<readonly ApiKey[]> };
  /** Milliseconds since the Unix epoch. */
  certificateExpiries: () => readonly { listener: string; at: number }[];
}

/** What ends by itself and then locks somebody out: API keys that are in use, and certificates of listeners. */
export async function credentialsOf({ keys, certificateExpiries }: CredentialSources): Promise<Credential[]> {
  // A key for a few uses is an enrolment token: nobody replaces it.
  const inUse = (await keys.list()).filter((key) => key.revoked_at === null && key.uses_left === null);
  return [
    ...inUse.map(({ id, name, created_at, expires_at }) => ({
      id: `key ${id}`,
      name: `the API key ${name}`,
      endsAt: expires_at,
      lifetimeMs: expires_at - created_at,
    })),
    ...certificateExpiries().map(({ listener, at }) => ({
      id: `certificate ${listener}`,
      name: `the certificate of the listener ${listener}`,
      endsAt: at,
    })),
  ];
}
