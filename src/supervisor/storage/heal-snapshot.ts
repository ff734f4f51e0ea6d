import { toHex } from "../../foundation/hex.ts";
import type { Logger } from "../../foundation/logger.ts";
import type { Reference } from "../change/configuration-book.ts";
import type { ConfigurationInputs, Snapshots } from "../change/snapshots.ts";

/**
 * Puts the snapshot of what runs together again from what else is on disk, if it is damaged: the Collector's own
 * file has its text, and what it was made from is in its other half or in the reference's files.
 */
export async function healSnapshot(
  current: Reference | null,
  snapshots: Snapshots,
  sources: {
    effective: string | undefined;
    /** What was kept last, beside the snapshot. */
    kept: ConfigurationInputs;
    logger: Logger;
  },
): Promise<void> {
  if (current === null || current.id === null || current.role === "fallback") return;
  const { id, remoteHash } = current;
  if ((await snapshots.load(id)) !== undefined) return;
  const { effective, kept, logger } = sources;
  const keptHash = kept.remote === undefined ? null : toHex(kept.remote.configHash);
  const inputs = (await snapshots.loadInputs(id)) ?? (keptHash === remoteHash ? kept : undefined);
  // The mark in its extension's headers tells whose text it is.
  if (inputs === undefined || effective?.includes(id) !== true) return;
  await snapshots.save({ id, text: effective, inputs });
  const fields = { event: "snapshot_restored", snapshot: id };
  logger.warn(fields, "a damaged snapshot was put together again from the Collector's own file");
}
