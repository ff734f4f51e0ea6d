import { type Kysely, sql } from "kysely";
import type { Clock } from "../../foundation/clock.ts";
import type { Database } from "./database.ts";
import type { Tables } from "./tables.ts";

/** Unix milliseconds by the one clock that all replicas share. */
export async function databaseNow(
  { kind }: Pick<Database, "kind">,
  query: Kysely<Tables>,
  clock: Clock,
): Promise<number> {
  if (kind === "sqlite") return clock.now();
  const { rows } = await sql<{ now: number }>`
    select (extract(epoch from clock_timestamp()) * 1000)::bigint as now
  `.execute(query);
  const [row] = rows;
  if (row === undefined) throw new Error("PostgreSQL does not tell the time");
  return row.now;
}
