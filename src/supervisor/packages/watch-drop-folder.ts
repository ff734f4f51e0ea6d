import { join } from "node:path";
import type { Clock } from "../../foundation/clock.ts";
import { describeError } from "../../foundation/errors.ts";
import type { Logger } from "../../foundation/logger.ts";
import type { PackagesAvailable } from "../../opamp/messages.ts";
import { watchFiles } from "../operations/file-watch.ts";
import { dropFolderManifest, readDropFolder } from "./drop-folder.ts";

/**
 * Looks into the drop folder now, and whenever its manifest changes: `seen` tells what lies there already from what
 * somebody has just put there.
 */
export async function watchDropFolder(
  directory: string,
  offer: (packages: PackagesAvailable, found: { seen: boolean }) => Promise<void>,
  { clock, logger }: { clock: Clock; logger: Logger },
): Promise<{ close(): Promise<void> }> {
  const look = async (seen: boolean) => {
    try {
      const packages = await readDropFolder(directory);
      if (packages !== undefined) await offer(packages, { seen });
    } catch (error) {
      const fields = { event: "drop_folder_unusable", error: describeError(error) };
      logger.error(fields, "the packages in the drop folder cannot be used");
    }
  };
  const watcher = await watchFiles([join(directory, dropFolderManifest)], clock, () => void look(false));
  await look(true);
  return watcher;
}
