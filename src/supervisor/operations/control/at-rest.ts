import { chmod, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod/mini";
import { systemClock } from "../../../foundation/clock.ts";
import { describeError, errorCode, isMissing } from "../../../foundation/errors.ts";
import { silentLogger } from "../../../foundation/logger.ts";
import { type BookContent, bookSchema, emptyBook } from "../../change/configuration-book.ts";
import { packagesRecordSchema } from "../../change/packages-record.ts";
import { isRunning } from "../../collector/process-identity.ts";
import { lockInstance } from "../../storage/single-instance.ts";
import { StateDirectory } from "../../storage/state-directory.ts";
import { namesPackages } from "./quarantine-clear.ts";
import { type Selection, selectQuarantined } from "./select-quarantined.ts";

/** The state directory while no supervisor uses it. */
export const bookFile = "configuration_book.json";
export const packagesFile = "packages.json";

/**
 * The book as it was left; nothing is locked or changed.
 * @throws an Error for people when it cannot be read or is damaged.
 */
export async function readBookAtRest(directory: string): Promise<BookContent> {
  return (await readJson(directory, bookFile, bookSchema)) ?? emptyBook;
}

/** Pid of the Collector that a former supervisor left running, if it still does. */
export async function findLeftPid(directory: string): Promise<number | undefined> {
  const identity = z.object({ pid: z.number(), startTime: z.string() });
  const schema = z.nullable(z.object({ process: identity }));
  const running = await readJson(directory, "collector.json", schema);
  return running && isRunning(running.process) ? running.process.pid : undefined;
}

/**
 * Works on the state of a supervisor that is not running, as the owner of its files. Ends being root for
 * good where another user owns them: what root wrote, that supervisor could not read.
 * @throws Error that names the supervisor when one runs.
 */
export async function withStateAtRest<T>(
  path: string,
  use: (directory: StateDirectory) => Promise<T>,
): Promise<T> {
  const { mode } = await stat(path);
  await becomeOwnerOf(path);
  const directory = await StateDirectory.open(path, { clock: systemClock, logger: silentLogger });
  try {
    const lock = await lockInstance(directory);
    try {
      return await use(directory);
    } finally {
      await lock.release();
    }
  } finally {
    directory.close();
    // Opening it closes it to everybody, also to the user of a Collector that was left running.
    await chmod(path, mode & 0o777);
  }
}

/**
 * Clears the quarantine of a supervisor that is not running.
 * @throws Refusal, or an Error for people.
 */
export async function clearQuarantineAtRest(path: string, selection: Selection): Promise<string[]> {
  if (!(await exists(path))) return selectQuarantined([], selection);
  return withStateAtRest(path, async (directory) => {
    const book = await readBookAtRest(path);
    const cleared = selectQuarantined(book.quarantined, selection);
    const quarantined = book.quarantined.filter(({ hash }) => !cleared.includes(hash));
    if (cleared.length > 0) await directory.write(bookFile, `${JSON.stringify({ ...book, quarantined })}\n`);
    if (cleared.some(namesPackages)) await forgivePackages(directory);
    return cleared;
  });
}

/** As `PackageIntake.forgive`: the next start tries them. */
async function forgivePackages(directory: StateDirectory): Promise<void> {
  const record = await readJson(directory.path("."), packagesFile, packagesRecordSchema);
  if (record === undefined) return;
  const outcome = record.outcome === "failed" ? "under-way" : record.outcome;
  await directory.write(packagesFile, `${JSON.stringify({ ...record, outcome, tries: [] })}\n`);
}

/**
 * A file of JSON in the state directory; undefined when there is none.
 * @throws an Error for people when it cannot be read or is damaged.
 */
export async function readJson<T>(
  directory: string,
  name: string,
  schema: { parse(value: unknown): T },
): Promise<T | undefined> {
  const path = join(directory, name);
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if (isMissing(error)) return undefined;
    const hint = errorCode(error) === "EACCES" ? "; run this as root or as the supervisor's user" : "";
    throw new Error(`cannot read ${path}: ${describeError(error)}${hint}`);
  }
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    throw new Error(`${path} is damaged; the supervisor sets it aside at its next start`);
  }
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    (error: unknown) => {
      if (isMissing(error)) return false;
      throw error;
    },
  );
}

/** Ends being root for good where another user owns `path`. Without it nothing changes. */
export async function becomeOwnerOf(path: string): Promise<void> {
  const { uid, gid } = await stat(path).catch((error: unknown) => {
    if (isMissing(error)) return { uid: 0, gid: 0 };
    throw error;
  });
  if (process.getuid?.() !== 0 || uid === 0) return;
  process.setgroups?.([]);
  process.setgid?.(gid);
  process.setuid?.(uid);
}
