import { sql } from "kysely";
import { Migrator } from "kysely/migration";
import type { ColumnTypes, SchemaDatabase, SchemaStep } from "./migration.ts";
import { StorageError } from "./storage-error.ts";

/** Tables of the schema itself. */
export const bookkeeping = { migrationTableName: "schema_steps", migrationLockTableName: "schema_lock" };

export interface MigrationOptions {
  steps: readonly SchemaStep[];
  types: ColumnTypes;
  /** The setting and what it says, for errors. */
  place: string;
}

/**
 * Brings the schema up to date, all steps or none.
 * @throws StorageError when the database was written by a newer program; nothing is changed then.
 */
export async function migrate(db: SchemaDatabase, { steps, types, place }: MigrationOptions): Promise<void> {
  const known = new Set(steps.map(({ name }) => name));
  const newer = (await stepsDone(db)).filter((name) => !known.has(name));
  if (newer.length > 0) {
    throw new StorageError(
      `${place} was written by a newer opamp-server (schema ${newer.join(", ")}): ` +
        "run that version, or restore a backup made by this one into an empty database",
    );
  }
  const migrations = steps.map(
    ({ name, up }) => [name, { up: (trx: SchemaDatabase) => up(trx, types) }] as const,
  );
  const migrator = new Migrator({
    db,
    ...bookkeeping,
    provider: { getMigrations: () => Promise.resolve(Object.fromEntries(migrations)) },
    // Rooms number their steps in ranges of their own, so that a new step may sort before an old one.
    allowUnorderedMigrations: true,
  });
  const { error, results } = await migrator.migrateToLatest();
  if (error === undefined) return;
  const failed = results?.find(({ status }) => status === "Error")?.migrationName ?? "unknown";
  throw new StorageError(`${place}: step ${failed} of the schema failed and was undone`, { cause: error });
}

/** Names of the steps that were run. */
export async function stepsDone(db: SchemaDatabase): Promise<string[]> {
  const tables = await db.introspection.getTables({ withInternalKyselyTables: true });
  if (!tables.some(({ name }) => name === bookkeeping.migrationTableName)) return [];
  const { rows } = await sql<{ name: string }>`
    select name from ${sql.table(bookkeeping.migrationTableName)}
  `.execute(db);
  return rows.map(({ name }) => name);
}
