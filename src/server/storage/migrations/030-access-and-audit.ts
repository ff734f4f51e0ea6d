import { sql } from "kysely";
import type { SchemaStep } from "../migration.ts";

/** Keys of people and Agents, and who did what. */
export const accessAndAudit: SchemaStep = {
  name: "030-access-and-audit",
  async up(db) {
    const { schema } = db;
    await schema
      .createTable("api_keys")
      .addColumn("id", "text", (column) => column.primaryKey().notNull())
      .addColumn("name", "text", (column) => column.notNull())
      .addColumn("hash", "text", (column) => column.notNull().unique())
      .addColumn("role", "text", (column) => column.notNull())
      .addColumn("created_by", "text", (column) => column.notNull())
      .addColumn("created_at", "bigint", (column) => column.notNull())
      .addColumn("expires_at", "bigint", (column) => column.notNull())
      .addColumn("revoked_at", "bigint")
      .addColumn("uses_left", "bigint")
      .execute();
    await schema
      .createTable("audit")
      .addColumn("number", "bigint", (column) => column.primaryKey().notNull())
      .addColumn("at", "bigint", (column) => column.notNull())
      .addColumn("actor", "text", (column) => column.notNull())
      .addColumn("actor_by", "text", (column) => column.notNull())
      .addColumn("role", "text", (column) => column.notNull())
      .addColumn("address", "text", (column) => column.notNull())
      .addColumn("action", "text", (column) => column.notNull())
      .addColumn("target", "text", (column) => column.notNull())
      .addColumn("outcome", "text", (column) => column.notNull())
      .addColumn("before", "text")
      .addColumn("after", "text")
      .addColumn("reason", "text")
      .addColumn("hash", "text", (column) => column.notNull())
      .execute();
    await schema
      .createTable("audit_end")
      .addColumn("number", "bigint", (column) => column.notNull())
      .addColumn("hash", "text", (column) => column.notNull())
      .execute();
    await sql`insert into audit_end (number, hash) values (0, '')`.execute(db);
  },
};
