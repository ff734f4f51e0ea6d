import { Kysely, PostgresDialect, sql, type Transaction } from "kysely";
import type { Clock } from "../../foundation/clock.ts";
import { errorCode } from "../../foundation/errors.ts";
import type { Logger } from "../../foundation/logger.ts";
import type { StorageSettings } from "../settings/server-settings.ts";
import { defaultDirectory, openDirectory } from "./directory.ts";
import { migrate } from "./migrate.ts";
import type { ColumnTypes, SchemaDatabase } from "./migration.ts";
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
  /** Of PostgreSQL alone: nobody else has the embedded database. */
  readonly messages: DatabaseMessages | undefined;
  close(): Promise<void>;
}

/** Short texts, up to 8000 bytes, to all that share the database, the sender too. They can be lost. */
export interface DatabaseMessages {
  send(text: string): Promise<void>;
  /** `connected` is false while what others send is lost. */
  listen(listener: MessageListener): { readonly connected: boolean; close(): Promise<void> };
}

export interface MessageListener {
  onMessage(text: string): void;
  /** Messages may have been lost until now. */
  onGap(): void;
}

/**
 * Opens the database and brings its schema up to date.
 * @throws StorageError that names the setting and says what to do.
 */
export async function openDatabase(
  settings: StorageSettings,
  { clock, log }: { clock: Clock; log: Logger },
): Promise<Database> {
  if (settings.postgresUrl !== undefined) return await openPostgres(settings.postgresUrl, { clock, log });
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

async function openPostgres(url: string, { clock, log }: { clock: Clock; log: Logger }): Promise<Database> {
  const place = describePostgres(url);
  const { openPostgresPool } = await import("./postgres.ts");
  const { messages, pool } = openPostgresPool(url, { clock, log });
  const query = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
  try {
    await sql`select 1`.execute(query);
    const database = await upToDate({ kind: "postgres", query, place }, () => undefined);
    log.info({ event: "storage_opened", database: place }, "database opened");
    return { ...database, messages };
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
    await migrate(query as SchemaDatabase, { steps: schemaSteps, types: schemaTypes(kind), place });
  } catch (error) {
    await close();
    throw error;
  }
  return { kind, query, close, messages: undefined, transaction: (work) => inTransaction(query, work) };
}

/** How columns are spelled there. */
export function schemaTypes(kind: Database["kind"]): ColumnTypes {
  return { bytes: kind === "sqlite" ? sql`blob` : sql`bytea` };
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
