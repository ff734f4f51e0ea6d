import { createWriteStream } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { type Kysely, sql } from "kysely";
import type { Clock } from "../../../foundation/clock.ts";
import type { Database } from "../database.ts";
import { stepsDone } from "../migrate.ts";
import { toJsonRow } from "./format.ts";
import { keptTables } from "./kept-tables.ts";

/** Rows of one query. */
const rowsAtATime = 500;

/**
 * Writes all that the database knows at one moment into a new file, readable by its owner only; a server may
 * run on the database meanwhile. Resolves to the number of rows.
 */
export async function saveBackup(
  { kind, query }: Pick<Database, "kind" | "query">,
  path: string,
  clock: Pick<Clock, "now">,
): Promise<number> {
  const part = `${path}.part`;
  const count = { rows: 0 };
  try {
    const anyRows = query as unknown as Kysely<unknown>;
    const isolated = anyRows.transaction();
    // SQLite's transactions see one moment anyway.
    const transaction = kind === "postgres" ? isolated.setIsolationLevel("repeatable read") : isolated;
    await transaction.execute(async (moment) => {
      const lines = Readable.from(linesOf(moment, kind, clock.now(), count));
      await pipeline(lines, createGzip(), createWriteStream(part, { flags: "w", mode: 0o600, flush: true }));
    });
    await rename(part, path);
    await syncFolder(dirname(path));
    return count.rows;
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
}

async function* linesOf(
  moment: Kysely<unknown>,
  kind: Database["kind"],
  now: number,
  count: { rows: number },
): AsyncGenerator<string> {
  const line = (value: unknown) => `${JSON.stringify(value)}\n`;
  const steps = await stepsDone(moment);
  yield line({ format: "opamp-server-backup", version: 1, created_at: now, steps });
  for (const table of await keptTables(moment, kind)) {
    yield line({ table });
    for (let offset = 0; ; offset += rowsAtATime) {
      const { rows } = await sql<Record<string, unknown>>`
        select * from ${sql.table(table)} order by 1, 2 limit ${rowsAtATime} offset ${offset}
      `.execute(moment);
      count.rows += rows.length;
      for (const row of rows) yield line({ row: toJsonRow(row) });
      if (rows.length < rowsAtATime) break;
    }
  }
  yield line({ rows: count.rows });
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
