import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { createGunzip } from "node:zlib";
import { type Kysely, sql, type Transaction } from "kysely";
import { describeError } from "../../../foundation/errors.ts";
import { type Database, openMemory, schemaTypes } from "../database.ts";
import { migrate } from "../migrate.ts";
import { schemaSteps } from "../migrations/all.ts";
import { StorageError } from "../storage-error.ts";
import { anyLine, fromJsonRow, heading } from "./format.ts";
import { allTables, keptTables } from "./kept-tables.ts";

export interface RestoreOptions {
  /** Replaces what is in the database. */
  force: boolean;
  /** Unix milliseconds by the database's clock. */
  now: number;
}

/** Rows of one statement. */
const rowsAtATime = 100;

/**
 * Fills the database from a backup, all of it or, if anything is wrong, nothing. The schema is brought to where
 * it was when the backup was made, and from there up to date. Resolves to the number of rows.
 * @throws StorageError
 */
export async function restoreBackup(
  { kind, query }: Pick<Database, "kind" | "query">,
  path: string,
  { force, now }: RestoreOptions,
): Promise<number> {
  await assertNobodyRuns(query, now);
  const anyRows = query as unknown as Kysely<unknown>;
  return await anyRows.transaction().execute(async (transaction) => {
    if (!force) await assertEmpty(transaction, kind);
    const lines = linesOf(path)[Symbol.asyncIterator]();
    const head = heading.safeParse((await lines.next()).value);
    if (!head.success) throw new StorageError(`${path} is no backup of opamp-server`);
    const steps = schemaSteps.filter(({ name }) => head.data.steps.includes(name));
    const unknown = head.data.steps.filter((name) => !steps.some((step) => step.name === name));
    if (unknown.length > 0) {
      const newer = `${path} was made by a newer opamp-server (schema ${unknown.join(", ")})`;
      throw new StorageError(`${newer}: restore it with that version`);
    }
    for (const table of (await allTables(transaction, kind)).reverse()) {
      await transaction.schema.dropTable(table).execute();
    }
    const types = schemaTypes(kind);
    await migrate(transaction, { steps, types, place: path });
    const rows = await insertAll(transaction, { lines, path, tables: await keptTables(transaction, kind) });
    await migrate(transaction, { steps: schemaSteps, types, place: path });
    return rows;
  });
}

async function assertNobodyRuns(query: Database["query"], now: number): Promise<void> {
  const running = await query.selectFrom("replicas").select("host").where("expires_at", ">", now).execute();
  if (running.length === 0) return;
  const hosts = running.map(({ host }) => host).join(", ");
  throw new StorageError(`the database is in use by opamp-server on ${hosts}: stop it, and wait 15 seconds`);
}

/** Where nothing was ever written there is no more than in a new database. */
async function assertEmpty(transaction: Transaction<unknown>, kind: Database["kind"]): Promise<void> {
  const fresh = await openMemory();
  try {
    for (const table of await keptTables(transaction, kind)) {
      const [found, expected] = [
        await countRows(transaction, table),
        await countRows(fresh.query as unknown as Kysely<unknown>, table),
      ];
      if (found > expected) {
        throw new StorageError(
          `the database is not empty (table ${table} has rows): name another one, or replace all of it with --force`,
        );
      }
    }
  } finally {
    await fresh.close();
  }
}

async function countRows(query: Kysely<unknown>, table: string): Promise<number> {
  const { rows } = await sql<{ count: number }>`select count(*) as count from ${sql.table(table)}`.execute(
    query,
  );
  return rows[0]?.count ?? 0;
}

interface Source {
  lines: AsyncIterator<unknown>;
  path: string;
  tables: readonly string[];
}

async function insertAll(
  transaction: Transaction<unknown>,
  { lines, path, tables }: Source,
): Promise<number> {
  // The steps of the schema may have filled tables: what they held is in the backup.
  for (const table of [...tables].reverse()) await sql`delete from ${sql.table(table)}`.execute(transaction);
  let table: string | undefined;
  let waiting: Record<string, unknown>[] = [];
  let count = 0;
  const insert = async () => {
    if (table !== undefined && waiting.length > 0) await insertRows(transaction, table, waiting);
    count += waiting.length;
    waiting = [];
  };
  for (;;) {
    const { done, value } = await lines.next();
    const line = done === true ? undefined : anyLine.safeParse(value);
    if (line?.success !== true) throw new StorageError(`${path} is cut short or damaged after ${count} rows`);
    if ("row" in line.data) {
      waiting.push(fromJsonRow(line.data.row));
      if (waiting.length >= rowsAtATime) await insert();
      continue;
    }
    await insert();
    if ("rows" in line.data) {
      if (line.data.rows === count) return count;
      throw new StorageError(`${path} is damaged: it has ${count} rows of ${line.data.rows}`);
    }
    table = line.data.table;
    if (!tables.includes(table)) throw new StorageError(`${path} has a table that there is not: ${table}`);
  }
}

async function insertRows(
  transaction: Transaction<unknown>,
  table: string,
  rows: readonly Record<string, unknown>[],
): Promise<void> {
  const names = Object.keys(rows[0] ?? {});
  const columns = sql.join(names.map((name) => sql.ref(name)));
  const values = rows.map((row) => sql`(${sql.join(names.map((name) => row[name]))})`);
  await sql`insert into ${sql.table(table)} (${columns}) values ${sql.join(values)}`.execute(transaction);
}

async function* linesOf(path: string): AsyncGenerator<unknown> {
  const file = createReadStream(path);
  const text = file.pipe(createGunzip());
  file.on("error", (error) => text.destroy(error));
  try {
    for await (const line of createInterface({ input: text, crlfDelay: Number.POSITIVE_INFINITY })) {
      yield JSON.parse(line);
    }
  } catch (error) {
    throw new StorageError(`${path} cannot be read: ${describeError(error)}`, { cause: error });
  } finally {
    file.destroy();
  }
}
