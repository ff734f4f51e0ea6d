import { randomBytes } from "node:crypto";
import { chmod, mkdir, readdir, rename, rm, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Clock } from "../../../foundation/clock.ts";
import { describeError, isMissing } from "../../../foundation/errors.ts";
import type { Logger } from "../../../foundation/logger.ts";
import { syncDirectory, temporarySuffix } from "../../storage/atomic-file.ts";

/** Makes a folder that every user may enter who is let into the storage directory; the umask has no say. */
export async function makeFolder(path: string, mode = 0o755): Promise<void> {
  await mkdir(path, { recursive: true });
  await chmod(path, mode);
}

/** A name beside `path` for what is not finished; a start removes what a crash leaves of it. */
export function temporaryName(path: string): string {
  return `${path}.${randomBytes(4).toString("hex")}${temporarySuffix}`;
}

/** Points `link` to `target`, atomically, and makes it survive a power cut. */
export async function linkTo(target: string, link: string): Promise<void> {
  const temporary = temporaryName(link);
  try {
    await symlink(target, temporary);
    await rename(temporary, link);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncDirectory(dirname(link));
}

/** Removes a folder or file in two steps, so that a crash never leaves a part of it under its name. */
export async function removeWhole(path: string): Promise<void> {
  const temporary = temporaryName(path);
  try {
    await rename(path, temporary);
  } catch (error) {
    if (isMissing(error)) return;
    throw error;
  }
  await syncDirectory(dirname(path));
  await rm(temporary, { recursive: true, force: true });
}

/** Entries of a folder; none where it is missing. */
export async function listFolder(path: string): Promise<string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

/** Removes what a crash left unfinished in a folder. Only for its owner, at its start. */
export async function clearUnfinished(path: string): Promise<void> {
  for (const name of await listFolder(path)) {
    if (name.endsWith(temporarySuffix)) await rm(join(path, name), { recursive: true, force: true });
  }
}

/** Moves something damaged out of the way, for somebody to look at. Never rejects. */
export async function setAside(
  path: string,
  reason: string,
  { clock, logger }: { clock: Clock; logger: Logger },
): Promise<void> {
  const aside = `${path}.corrupt-${new Date(clock.now()).toISOString().replaceAll(":", "")}`;
  const fields = { event: "package_corrupt", path, reason, set_aside: aside };
  logger.error(fields, "a part of the package store is damaged and was set aside");
  try {
    // One of a kind is enough to look at; each may be as large as a Collector.
    const before = (await listFolder(dirname(path))).map((name) => join(dirname(path), name));
    for (const each of before.filter((name) => name.startsWith(`${path}.corrupt-`)))
      await rm(each, { recursive: true, force: true });
    await rename(path, aside);
  } catch (error) {
    if (!isMissing(error))
      logger.error(
        { ...fields, error: describeError(error) },
        "a damaged part of the package store cannot be set aside",
      );
  }
}
