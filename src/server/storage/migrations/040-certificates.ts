import type { SchemaStep } from "../migration.ts";

/** Certificates of Agents, what they asked for, and secrets of the server itself. */
export const certificates: SchemaStep = {
  name: "040-certificates",
  async up({ schema }) {
    await schema
      .createTable("certificates")
      .addColumn("fingerprint", "text", (column) => column.primaryKey().notNull())
      .addColumn("serial", "text", (column) => column.notNull())
      .addColumn("instance_uid", "text")
      .addColumn("origin", "text", (column) => column.notNull())
      .addColumn("request_hash", "text")
      .addColumn("pem", "text")
      .addColumn("created_at", "bigint", (column) => column.notNull())
      .addColumn("expires_at", "bigint", (column) => column.notNull())
      .addColumn("used_at", "bigint")
      .addColumn("last_seen_at", "bigint")
      .addColumn("applied_at", "bigint")
      .addColumn("failure", "text")
      .addColumn("revoked_at", "bigint")
      .addColumn("revoke_reason", "text")
      .execute();
    for (const column of ["serial", "instance_uid", "expires_at", "revoked_at"]) {
      await schema.createIndex(`certificates_by_${column}`).on("certificates").column(column).execute();
    }
    await schema
      .createTable("certificate_requests")
      .addColumn("id", "text", (column) => column.primaryKey().notNull())
      .addColumn("instance_uid", "text", (column) => column.notNull())
      .addColumn("csr", "text", (column) => column.notNull())
      .addColumn("csr_hash", "text", (column) => column.notNull())
      .addColumn("remote_address", "text", (column) => column.notNull())
      .addColumn("cause", "text", (column) => column.notNull())
      .addColumn("requested_at", "bigint", (column) => column.notNull())
      .addColumn("state", "text", (column) => column.notNull())
      .addColumn("decided_at", "bigint")
      .addColumn("decided_by", "text")
      .addColumn("reason", "text")
      .execute();
    await schema
      .createIndex("certificate_requests_by_instance_uid")
      .on("certificate_requests")
      .column("instance_uid")
      .execute();
    await schema
      .createTable("secrets")
      .addColumn("name", "text", (column) => column.primaryKey().notNull())
      .addColumn("sealed", "text", (column) => column.notNull())
      .execute();
  },
};
