import { Pool, types } from "pg";
import type { Clock } from "../../foundation/clock.ts";
import { describeError } from "../../foundation/errors.ts";
import type { Logger } from "../../foundation/logger.ts";
import type { DatabaseMessages } from "./database.ts";
import { postgresMessages } from "./postgres-messages.ts";

/** Times in milliseconds. */
const limits = { connectionTimeoutMillis: 5_000, idleTimeoutMillis: 30_000, statement_timeout: 30_000 };

/** A pool of connections, none of which is open yet, and what others that share the database say. */
export function openPostgresPool(
  url: string,
  { clock, log }: { clock: Clock; log: Logger },
): { pool: Pool; messages: DatabaseMessages } {
  const pool = new Pool({
    connectionString: url,
    application_name: "opamp-server",
    max: 8,
    keepAlive: true,
    ...limits,
    types: { getTypeParser },
  });
  // An idle connection that breaks is replaced at the next query.
  pool.on("error", (error) =>
    log.warn(
      { event: "database_connection_lost", error: describeError(error) },
      "connection to PostgreSQL lost",
    ),
  );
  return { pool, messages: postgresMessages(url, { clock, log, pool }) };
}

/** Counters and times are far below 2^53, and SQLite gives numbers as well. */
const getTypeParser: typeof types.getTypeParser = (oid: number, format?: "text" | "binary") =>
  oid === types.builtins.INT8 ? Number : types.getTypeParser(oid, format as "text");
