import { type BookContent, faultHash } from "../change/configuration-book.ts";
import type { ConfigurationInputs, Snapshots } from "../change/snapshots.ts";

/**
 * Of what runs, or else of what would be gone back to, unless it failed: a fallback was made from nothing that counts.
 */
export async function findLastInputs(
  { current, wayBack, quarantined }: BookContent,
  snapshots: Snapshots,
  otherwise: ConfigurationInputs,
): Promise<ConfigurationInputs> {
  for (const reference of [current, ...wayBack]) {
    if (reference === null || reference.id === null || reference.role === "fallback") continue;
    const hash = faultHash(reference);
    if (reference !== current && quarantined.some((entry) => entry.hash === hash)) continue;
    const snapshot = await snapshots.load(reference.id);
    if (snapshot === undefined) continue;
    return current?.id === null ? { ...otherwise, localFiles: snapshot.inputs.localFiles } : snapshot.inputs;
  }
  return otherwise;
}
