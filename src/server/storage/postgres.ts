import { Pool, types } from "pg";
import { describeError } from "../../foundation/errors.ts";
import type { Logger } from "../../foundation/logger.ts";

/** Times in milliseconds. */
const limits = { connectionTimeoutMillis: 5_000, idleTimeoutMillis: 30_000, statement_timeout: 30_000 };

/** A pool of connections, none of which is open yet. */
export function postgresPool(url: string, log: Logger): Pool {
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
  return pool;
}

/** Counters and times are far below 2^53, and SQLite gives numbers as well. */
const getTypeParser: typeof types.getTypeParser = (oid: number, format?: "text" | "binary") =>
  oid === types.builtins.INT8 ? Number : types.getTypeParser(oid, format as "text");
