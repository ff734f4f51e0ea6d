import { describeError } from "../../foundation/errors.ts";
import type { Workshop } from "./workshop.ts";

/** Deletes the snapshots and packages that nobody needs: neither the book nor the Collector that runs. Never rejects. */
export async function tidySnapshots(workshop: Workshop): Promise<void> {
  const { book, collector, logger, snapshots } = workshop;
  const needed = book.snapshotIds;
  // A slow starter runs, and may yet be kept, before the book knows of it.
  if ("launch" in collector.state) needed.add(collector.state.launch.mark);
  try {
    await snapshots.keepOnly(needed);
    await workshop.keepPackages(book.packageSets);
  } catch (error) {
    const fields = { event: "snapshots_not_deleted", error: describeError(error) };
    logger.error(fields, "cannot delete configurations that are no longer needed");
  }
}
