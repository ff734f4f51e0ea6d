import type { SchemaStep } from "../migration.ts";

/** The servers that share the database, and which of them does what only one may do. */
export const replicas: SchemaStep = {
  name: "002-replicas",
  async up({ schema }) {
    await schema
      .createTable("replicas")
      .addColumn("id", "text", (column) => column.primaryKey().notNull())
      .addColumn("host", "text", (column) => column.notNull())
      .addColumn("started_at", "bigint", (column) => column.notNull())
      .addColumn("expires_at", "bigint", (column) => column.notNull())
      .execute();
    await schema
      .createTable("leases")
      .addColumn("name", "text", (column) => column.primaryKey().notNull())
      .addColumn("holder", "text", (column) => column.notNull())
      .addColumn("fence", "bigint", (column) => column.notNull())
      .addColumn("expires_at", "bigint", (column) => column.notNull())
      .execute();
    await schema.createIndex("agents_replica").on("agents").column("replica").execute();
  },
};
