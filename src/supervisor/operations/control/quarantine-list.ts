import * as z from "zod/mini";
import type { Quarantined } from "../../change/configuration-book.ts";

/** Answer of `GET /v1/quarantine`, and what `quarantine list --json` prints. */
export type QuarantineList = z.infer<ReturnType<typeof makeQuarantineListSchema>>;

/** Made by whoever reads one. */
export const makeQuarantineListSchema = () =>
  z.object({
    quarantined: z.array(
      z.object({
        /** As `quarantine clear` takes it. */
        hash: z.string(),
        /** When it failed, in ISO 8601. */
        at: z.string(),
        /** Why, the Collector's own words included; secrets masked. */
        reason: z.string(),
      }),
    ),
  });

/** Oldest first. */
export function listQuarantine(quarantined: readonly Quarantined[]): QuarantineList {
  return {
    quarantined: quarantined.map(({ hash, at, reason }) => ({
      hash,
      at: new Date(at).toISOString(),
      reason,
    })),
  };
}
