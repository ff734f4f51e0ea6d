import { accessSync, constants, mkdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describeError, errorCode } from "../../foundation/errors.ts";
import { openSqlite } from "./sqlite.ts";
import { StorageError } from "./storage-error.ts";

/** Where the package's service may write. */
const packagedDirectory = "/var/lib/opamp-server";

/** Used when no setting names another; undefined when it is not there for us. */
export function defaultDirectory(): string | undefined {
  try {
    accessSync(packagedDirectory, constants.W_OK);
    return packagedDirectory;
  } catch {
    return undefined;
  }
}

/** The database file in `storage.directory`. */
export function databaseFile(directory: string): string {
  return join(directory, "opamp-server.db");
}

export interface OpenDirectory {
  handle: DatabaseSync;
  /** The setting and what it says, for errors. */
  place: string;
  /** Lets another server have the directory. */
  unlock: () => void;
}

/**
 * Opens the database of a directory for this process alone; creates both if need be.
 * @throws StorageError
 */
export function openDirectory(directory: string): OpenDirectory {
  const place = `storage.directory ${directory}`;
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    accessSync(directory, constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw new StorageError(
      `${place} cannot be written to: let the user that opamp-server runs as own it, or name another directory`,
      { cause },
    );
  }
  const lock = lockDirectory(directory, place);
  try {
    return { handle: openSqlite(databaseFile(directory)), place, unlock: () => lock.close() };
  } catch (cause) {
    lock.close();
    throw sqliteProblem(place, cause);
  }
}

/**
 * Held as a lock of the kernel on a file of its own, so that it ends with the process, however that ends, and
 * does not keep `opamp-server backup` out of the database.
 */
function lockDirectory(directory: string, place: string): DatabaseSync {
  let lock: DatabaseSync | undefined;
  try {
    lock = new DatabaseSync(join(directory, "opamp-server.lock"));
    lock.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE");
    return lock;
  } catch (cause) {
    lock?.close();
    if (sqliteCode(cause) !== sqliteCodes.busy) throw sqliteProblem(place, cause);
    throw new StorageError(
      `${place} is in use by another opamp-server: stop it, or name another directory; ` +
        "several servers share one database with storage.postgres_url",
    );
  }
}

/** Primary result codes, https://www.sqlite.org/rescode.html */
const sqliteCodes = { busy: 5, corrupt: 11, full: 13, notADatabase: 26 };

function sqliteProblem(place: string, cause: unknown): StorageError {
  const code = sqliteCode(cause);
  if (code === sqliteCodes.corrupt || code === sqliteCodes.notADatabase) {
    const advice = "move opamp-server.db* away and restore a backup";
    return new StorageError(`${place}: its database is damaged: ${advice}`, { cause });
  }
  if (code === sqliteCodes.full) {
    return new StorageError(`${place}: no space is left on its disk`, { cause });
  }
  return new StorageError(`${place}: ${describeError(cause)}`);
}

function sqliteCode(error: unknown): number | undefined {
  if (errorCode(error) !== "ERR_SQLITE_ERROR") return undefined;
  return (error as { errcode: number }).errcode & 0xff;
}
