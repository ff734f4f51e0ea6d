import { sql } from "kysely";
import type { SchemaStep } from "../migration.ts";

/** Agents, what operators say of them, what they are to run and were offered. */
export const fleetAndOffers: SchemaStep = {
  name: "001-fleet-and-offers",
  async up(db, { bytes }) {
    const { schema } = db;
    await schema
      .createTable("revisions")
      .addColumn("name", "text", (column) => column.primaryKey().notNull())
      .addColumn("value", "bigint", (column) => column.notNull())
      .execute();
    await sql`insert into revisions (name, value) values ('agents', 0), ('rules', 0)`.execute(db);
    await schema
      .createTable("agents")
      .addColumn("uid", "text", (column) => column.primaryKey().notNull())
      .addColumn("report", bytes, (column) => column.notNull())
      .addColumn("notes", "text", (column) => column.notNull())
      .addColumn("transport", "text", (column) => column.notNull())
      .addColumn("remote_address", "text", (column) => column.notNull())
      .addColumn("first_seen", "bigint", (column) => column.notNull())
      .addColumn("applied_hash", "text")
      .addColumn("gone_since", "bigint")
      .addColumn("gone_reason", "text")
      .addColumn("replica", "text", (column) => column.notNull())
      .addColumn("revision", "bigint", (column) => column.notNull())
      .execute();
    await schema.createIndex("agents_revision").on("agents").column("revision").execute();
    await schema
      .createTable("agent_contacts")
      .addColumn("uid", "text", (column) => column.primaryKey().notNull())
      .addColumn("last_seen", "bigint", (column) => column.notNull())
      .addColumn("sequence_num", "text", (column) => column.notNull())
      .execute();
    await schema
      .createTable("agent_documents")
      .addColumn("uid", "text", (column) => column.notNull())
      .addColumn("part", "text", (column) => column.notNull())
      .addColumn("body", bytes, (column) => column.notNull())
      .addPrimaryKeyConstraint("agent_documents_key", ["uid", "part"])
      .execute();
    await schema
      .createTable("agent_labels")
      .addColumn("uid", "text", (column) => column.notNull())
      .addColumn("name", "text", (column) => column.notNull())
      .addColumn("value", "text", (column) => column.notNull())
      .addPrimaryKeyConstraint("agent_labels_key", ["uid", "name"])
      .execute();
    await schema
      .createTable("agent_groups")
      .addColumn("name", "text", (column) => column.primaryKey().notNull())
      .addColumn("selector", "text", (column) => column.notNull())
      .addColumn("priority", "bigint", (column) => column.notNull())
      .addColumn("description", "text", (column) => column.notNull())
      .addColumn("created_at", "bigint", (column) => column.notNull())
      .addColumn("updated_at", "bigint", (column) => column.notNull())
      .execute();
    await schema
      .createTable("rules")
      .addColumn("number", "bigint", (column) => column.primaryKey().notNull())
      .addColumn("lane", "text", (column) => column.notNull())
      .addColumn("what", "text", (column) => column.notNull())
      .addColumn("selector", "text", (column) => column.notNull())
      .addColumn("state", "text", (column) => column.notNull())
      .addColumn("bundle", "text")
      .addColumn("rollout_id", "text")
      .addColumn("created_at", "bigint", (column) => column.notNull())
      .addColumn("ended_at", "bigint")
      .addColumn("revision", "bigint", (column) => column.notNull())
      .execute();
    await schema.createIndex("rules_revision").on("rules").column("revision").execute();
    await schema.createIndex("rules_rollout").on("rules").column("rollout_id").execute();
    await schema
      .createTable("configurations")
      .addColumn("hash", "text", (column) => column.primaryKey().notNull())
      .addColumn("body", bytes, (column) => column.notNull())
      .addColumn("created_at", "bigint", (column) => column.notNull())
      .execute();
    await schema
      .createTable("package_sets")
      .addColumn("hash", "text", (column) => column.primaryKey().notNull())
      .addColumn("files", "text", (column) => column.notNull())
      .addColumn("created_at", "bigint", (column) => column.notNull())
      .execute();
    await schema
      .createTable("offers")
      .addColumn("uid", "text", (column) => column.notNull())
      .addColumn("number", "bigint", (column) => column.notNull())
      .addColumn("lane", "text", (column) => column.notNull())
      .addColumn("hash", "text", (column) => column.notNull())
      .addColumn("rule", "bigint", (column) => column.notNull())
      .addColumn("offered_at", "bigint", (column) => column.notNull())
      .addColumn("answer", "text")
      .addColumn("answered_at", "bigint")
      .addColumn("error", "text")
      .addPrimaryKeyConstraint("offers_key", ["uid", "number"])
      .execute();
  },
};
