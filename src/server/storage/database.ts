import { Kysely, PostgresDialect, sql, type Transaction } from "kysely";
import { errorCode } from "../../foundation/errors.ts";
import type { Logger } from "../../foundation/logger.ts";
import type { StorageSettings } from "../settings/server-settings.ts";
import { defaultDirectory, openDirectory } from "./directory.ts";
import { migrate } from "./migrate.ts";
import type { SchemaDatabase } from "./migration.ts";
import { schemaSteps } from "./migrations/all.ts";
import { describePostgres, postgresProblem } from "./postgres-place.ts";
import { openSqlite, sqliteDialect } from "./sqlite.ts";
import type { Tables } from "./tables.ts";

/** The open database. Its SQL has to be what SQLite and PostgreSQL both understand. */
export interface Database {
  readonly kind: "sqlite" | "postgres";
  readonly query: Kysely<Tables>;
  /**
   * Runs `work` in one transaction: all of it or nothing. Use only what it is given, or SQLite waits for ever.
   * PostgreSQL may run `work` again when another replica was in its way.
   */
  transaction<T>(work: (transaction: Transaction<Tables>) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/**
 * Opens the database and brings its schema up to date.
 * @throws StorageError that names the setting and says what to do.
 */
export async function openDatabase(settings: StorageSettings, { log }: { log: Logger }): Promise<Database> {
  if (settings.postgresUrl !== undefined) return await openPostgres(settings.postgresUrl, log);
  const directory = settings.directory ?? defaultDirectory();
  if (directory !== undefined) return await openFile(directory, log);
  log.warn(
    { event: "storage_in_memory" },
    "nothing is kept over a restart: set storage.directory or storage.postgres_url",
  );
  return await openMemory();
}

/** A database that is gone once it is closed. */
export async function openMemory(): Promise<Database> {
  const query = new Kysely<Tables>({ dialect: sqliteDialect(openSqlite(":memory:")) });
  return await upToDate({ kind: "sqlite", query, place: "the database in memory" }, () => undefined);
}

async function openFile(directory: string, log: Logger): Promise<Database> {
  const { handle, place, unlock } = openDirectory(directory);
  const query = new Kysely<Tables>({ dialect: sqliteDialect(handle) });
  const database = await upToDate({ kind: "sqlite", query, place }, unlock);
  log.info({ event: "storage_opened", directory }, "database opened");
  return database;
}

async function openPostgres(url: string, log: Logger): Promise<Database> {
  const place = describePostgres(url);
  const { postgresPool } = await import("./postgres.ts");
  const query = new Kysely<Tables>({ dialect: new PostgresDialect({ pool: postgresPool(url, log) }) });
  try {
    await sql`select 1`.execute(query);
    const database = await upToDate({ kind: "postgres", query, place }, () => undefined);
    log.info({ event: "storage_opened", database: place }, "database opened");
    return database;
  } catch (error) {
    await query.destroy();
    throw postgresProblem(place, error);
  }
}

type Opened = Pick<Database, "kind" | "query"> & { place: string };

async function upToDate({ kind, query, place }: Opened, onClosed: () => void): Promise<Database> {
  const close = async () => {
    await query.destroy();
    onClosed();
  };
  try {
    const bytes = kind === "sqlite" ? sql`blob` : sql`bytea`;
    await migrate(query as SchemaDatabase, { steps: schemaSteps, types: { bytes }, place });
  } catch (error) {
    await close();
    throw error;
  }
  return { kind, query, close, transaction: (work) => inTransaction(query, work) };
}

/** Of a deadlock, or a serialization that failed: PostgreSQL undid the transaction, and it can be run again. */
const undoneByOthers = new Set(["40P01", "40001"]);
const attempts = 5;

async function inTransaction<T>(
  query: Kysely<Tables>,
  work: (transaction: Transaction<Tables>) => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await query.transaction().execute(work);
    } catch (error) {
      if (attempt >= attempts || !undoneByOthers.has(errorCode(error) ?? "")) throw error;
    }
  }
}
