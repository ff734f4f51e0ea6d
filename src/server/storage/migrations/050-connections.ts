import type { SchemaStep } from "../migration.ts";

/** Connection settings that are offered. */
export const connections: SchemaStep = {
  name: "050-connections",
  async up({ schema }) {
    await schema
      .createTable("connection_settings")
      .addColumn("hash", "text", (column) => column.primaryKey().notNull())
      .addColumn("settings", "text", (column) => column.notNull())
      .addColumn("created_at", "bigint", (column) => column.notNull())
      .execute();
  },
};
