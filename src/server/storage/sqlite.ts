import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import {
  type Dialect,
  SqliteAdapter,
  type SqliteDatabase,
  SqliteDialect,
  type SqliteStatement,
} from "kysely";

/** `:memory:` or the path of a file. The handle stays open until kysely's `destroy`. */
export function openSqlite(path: string): DatabaseSync {
  const handle = new DatabaseSync(path);
  try {
    // WAL: a backup reads while we write. FULL: what was answered with success survives a power cut.
    handle.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON");
    handle.exec("PRAGMA busy_timeout = 5000");
    return handle;
  } catch (error) {
    handle.close();
    throw error;
  }
}

/** kysely's SQLite dialect over Node's own SQLite. */
export function sqliteDialect(handle: DatabaseSync): Dialect {
  const dialect = new SqliteDialect({ database: adapt(handle) });
  return {
    createDriver: () => dialect.createDriver(),
    createQueryCompiler: () => dialect.createQueryCompiler(),
    createIntrospector: (db) => dialect.createIntrospector(db),
    // SQLite undoes DDL with its transaction; kysely would run the steps of a migration without one.
    createAdapter: () =>
      Object.defineProperty(new SqliteAdapter(), "supportsTransactionalDdl", { value: true }),
  };
}

/** Statements that are kept compiled: more than the program has, but for those of odd lists. */
const keptStatements = 200;

function adapt(handle: DatabaseSync): SqliteDatabase {
  const statements = new Map<string, SqliteStatement>();
  return {
    close() {
      statements.clear();
      handle.close();
    },
    prepare(sql) {
      const known = statements.get(sql);
      if (known !== undefined) return known;
      const statement = adaptStatement(handle.prepare(sql));
      const [oldest] = statements.keys();
      if (statements.size >= keptStatements && oldest !== undefined) statements.delete(oldest);
      statements.set(sql, statement);
      return statement;
    },
  };
}

function adaptStatement(statement: StatementSync): SqliteStatement {
  return {
    // Whether it answers with rows.
    reader: statement.columns().length > 0,
    all: (parameters) => statement.all(...(parameters as SQLInputValue[])),
    run: (parameters) => statement.run(...(parameters as SQLInputValue[])),
    iterate: (parameters) => statement.iterate(...(parameters as SQLInputValue[])),
  };
}
