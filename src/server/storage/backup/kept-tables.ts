import { type Kysely, sql } from "kysely";
import type { Database } from "../database.ts";
import { bookkeeping } from "../migrate.ts";

/** What is of the running servers, or of the schema itself. */
const leftOut = new Set<string>([...Object.values(bookkeeping), "replicas", "leases"]);

/** Every table, in the order in which they were made: one that refers to another comes after it. */
export async function allTables(query: Kysely<unknown>, kind: Database["kind"]): Promise<string[]> {
  const found =
    kind === "sqlite"
      ? sql<{ name: string }>`
          select name from sqlite_master where type = 'table' and name not like 'sqlite_%' order by rowid`
      : sql<{ name: string }>`
          select relname as name from pg_class
          where relkind = 'r' and relnamespace = current_schema()::regnamespace order by oid`;
  const { rows } = await found.execute(query);
  return rows.map(({ name }) => name);
}

/** Those whose rows are what the server knows. */
export async function keptTables(query: Kysely<unknown>, kind: Database["kind"]): Promise<string[]> {
  return (await allTables(query, kind)).filter((name) => !leftOut.has(name));
}
