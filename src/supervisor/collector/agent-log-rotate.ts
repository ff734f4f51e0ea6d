import { appendFile, copyFile, open, rename, rm, stat } from "node:fs/promises";
import { errorCode, isMissing } from "../../foundation/errors.ts";

/**
 * Copies `path` to `path.1`, after moving `path.1` to `path.2` and so on; `keep` copies stay. The caller
 * truncates: the Collector holds the descriptor, so that the file itself must stay where it is.
 * False when the disk has no room for a copy; then nothing of the newest is kept.
 */
export async function copyAside(path: string, keep: number): Promise<boolean> {
  await rm(`${path}.${Math.max(1, keep)}`, { force: true });
  if (keep < 1) return true;
  for (let number = keep - 1; number >= 1; number -= 1) {
    await rename(`${path}.${number}`, `${path}.${number + 1}`).catch((error: unknown) => {
      if (!isMissing(error)) throw error;
    });
  }
  const copy = `${path}.1`;
  try {
    await copyFile(path, copy);
    // What was written while it was copied, so that little falls between copy and truncation.
    await appendRest(path, copy);
    return true;
  } catch (error) {
    await rm(copy, { force: true });
    if (errorCode(error) === "ENOSPC" || errorCode(error) === "EDQUOT") return false;
    throw error;
  }
}

async function appendRest(path: string, copy: string): Promise<void> {
  const { size: copied } = await stat(copy);
  await appendFile(copy, await readRange(path, copied, (await stat(path)).size));
}

/** The bytes of a file from `start` to `end`; fewer if it is shorter. */
export async function readRange(path: string, start: number, end: number): Promise<Buffer> {
  const buffer = Buffer.alloc(Math.max(0, end - start));
  if (buffer.length === 0) return buffer;
  const file = await open(path, "r");
  try {
    const { bytesRead } = await file.read(buffer, 0, buffer.length, start);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
