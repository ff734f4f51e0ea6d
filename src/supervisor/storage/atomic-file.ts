import { randomBytes } from "node:crypto";
import { open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";

/** How an unfinished file ends; one that is found at a start was left by a crash. */
export const temporarySuffix = ".tmp";

/** Who else than its owner may read a file: the members of one group. */
export interface FileReaders {
  /** The owner, this process's own user. */
  uid: number;
  gid: number;
}

/**
 * Writes a file so that a power cut leaves the old content or the new, never a part: temporary file in
 * the same directory, fsync, rename, fsync of the directory.
 * @throws system errors such as ENOSPC; the old content is untouched then.
 */
export async function writeFileAtomically(
  path: string,
  data: string | Uint8Array,
  readers?: FileReaders,
): Promise<void> {
  const temporary = `${path}.${randomBytes(4).toString("hex")}${temporarySuffix}`;
  try {
    const file = await open(temporary, "wx", 0o600);
    try {
      if (readers !== undefined) {
        await file.chown(readers.uid, readers.gid);
        await file.chmod(0o640);
      }
      await file.writeFile(data);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncDirectory(dirname(path));
}

/** Makes renames and removals in a directory survive a power cut. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
