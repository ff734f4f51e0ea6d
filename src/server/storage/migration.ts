import type { Kysely, RawBuilder } from "kysely";

/** One step of the schema. Once released it never changes: what comes later is a step of its own. */
export interface SchemaStep {
  /** `NNN-name`, as its file is called. */
  readonly name: string;
  readonly up: (db: SchemaDatabase, types: ColumnTypes) => Promise<void>;
}

/** A database without table types: these change over time, a step does not. */
export type SchemaDatabase = Kysely<unknown>;

/** Column types that SQLite and PostgreSQL spell differently. `text` and `bigint` are the same in both. */
export interface ColumnTypes {
  readonly bytes: RawBuilder<unknown>;
}
