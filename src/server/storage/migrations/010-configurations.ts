import { sql } from "kysely";
import type { SchemaStep } from "../migration.ts";

/** Named configurations, their versions, and what was made of them. */
export const configurations: SchemaStep = {
  name: "010-configurations",
  async up(db, { bytes }) {
    const { schema } = db;
    await sql`insert into revisions (name, value) values ('configurations', 0)`.execute(db);
    await schema
      .createTable("configuration_versions")
      .addColumn("name", "text", (column) => column.notNull())
      .addColumn("version", "bigint", (column) => column.notNull())
      .addColumn("digest", "text", (column) => column.notNull())
      .addColumn("body", bytes, (column) => column.notNull())
      .addColumn("variables", "text")
      .addColumn("author", "text", (column) => column.notNull())
      .addColumn("message", "text", (column) => column.notNull())
      .addColumn("created_at", "bigint", (column) => column.notNull())
      .addPrimaryKeyConstraint("configuration_versions_key", ["name", "version"])
      .execute();
    await schema
      .createTable("configuration_renderings")
      .addColumn("hash", "text", (column) => column.primaryKey().notNull())
      .addColumn("layers", "text", (column) => column.notNull())
      .addColumn("created_at", "bigint", (column) => column.notNull())
      .execute();
    await schema.alterTable("configurations").addColumn("secrets", "text").execute();
  },
};
