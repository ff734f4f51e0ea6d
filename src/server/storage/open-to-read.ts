import { existsSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { Kysely, PostgresDialect, sql } from "kysely";
import type { Clock } from "../../foundation/clock.ts";
import type { Logger } from "../../foundation/logger.ts";
import type { StorageSettings } from "../settings/server-settings.ts";
import type { Database } from "./database.ts";
import { databaseFile, defaultDirectory } from "./directory.ts";
import { describePostgres, postgresProblem } from "./postgres-place.ts";
import { sqliteDialect } from "./sqlite.ts";
import { StorageError } from "./storage-error.ts";
import type { Tables } from "./tables.ts";

type Readable = Pick<Database, "kind" | "query" | "close">;

/**
 * The database beside a server that has it open. Nothing is changed, and the schema not brought up to date.
 * @throws StorageError
 */
export async function openToRead(
  settings: StorageSettings,
  dependencies: { clock: Clock; log: Logger },
): Promise<Readable> {
  if (settings.postgresUrl !== undefined) return await openPostgres(settings.postgresUrl, dependencies);
  const directory = settings.directory ?? defaultDirectory();
  if (directory === undefined) {
    throw new StorageError("nothing is kept: neither storage.directory nor storage.postgres_url is set");
  }
  const file = databaseFile(directory);
  if (!existsSync(file)) throw new StorageError(`storage.directory ${directory} has no database`);
  const query = new Kysely<Tables>({ dialect: sqliteDialect(new DatabaseSync(file, { readOnly: true })) });
  return { kind: "sqlite", query, close: () => query.destroy() };
}

async function openPostgres(url: string, dependencies: { clock: Clock; log: Logger }): Promise<Readable> {
  const { openPostgresPool } = await import("./postgres.ts");
  const { pool } = openPostgresPool(url, dependencies);
  const query = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
  try {
    await sql`select 1`.execute(query);
    return { kind: "postgres", query, close: () => query.destroy() };
  } catch (error) {
    await query.destroy();
    throw postgresProblem(describePostgres(url), error);
  }
}
