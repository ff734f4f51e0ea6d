import type { SchemaStep } from "../migration.ts";

/** Rollouts, whom they have reached, what was decided, and what failed. */
export const rollouts: SchemaStep = {
  name: "020-rollouts",
  async up({ schema }) {
    await schema
      .createTable("rollouts")
      .addColumn("id", "text", (column) => column.primaryKey().notNull())
      .addColumn("created_at", "bigint", (column) => column.notNull())
      .addColumn("under_way", "bigint", (column) => column.notNull())
      .addColumn("version", "bigint", (column) => column.notNull())
      .addColumn("document", "text", (column) => column.notNull())
      .execute();
    await schema
      .createTable("rollout_members")
      .addColumn("rollout_id", "text", (column) => column.notNull())
      .addColumn("uid", "text", (column) => column.notNull())
      .addColumn("released_at", "bigint")
      .addColumn("document", "text", (column) => column.notNull())
      .addPrimaryKeyConstraint("rollout_members_key", ["rollout_id", "uid"])
      .execute();
    await schema
      .createTable("rollout_story")
      .addColumn("rollout_id", "text", (column) => column.notNull())
      .addColumn("number", "bigint", (column) => column.notNull())
      .addColumn("at", "bigint", (column) => column.notNull())
      .addColumn("document", "text", (column) => column.notNull())
      .addPrimaryKeyConstraint("rollout_story_key", ["rollout_id", "number"])
      .execute();
    await schema
      .createTable("quarantined_hashes")
      .addColumn("kind", "text", (column) => column.notNull())
      .addColumn("hash", "text", (column) => column.notNull())
      .addColumn("at", "bigint", (column) => column.notNull())
      .addColumn("rollout_id", "text", (column) => column.notNull())
      .addColumn("reason", "text", (column) => column.notNull())
      .addPrimaryKeyConstraint("quarantined_hashes_key", ["kind", "hash"])
      .execute();
    await schema
      .createTable("rollout_strategies")
      .addColumn("name", "text", (column) => column.primaryKey().notNull())
      .addColumn("updated_at", "bigint", (column) => column.notNull())
      .addColumn("document", "text", (column) => column.notNull())
      .execute();
  },
};
