import type { AccessTables } from "../access/tables.ts";
import type { AuditTables } from "../audit/tables.ts";
import type { CertificateTables } from "../certificates/tables.ts";
import type { ConfigurationTables } from "../configurations/tables.ts";
import type { ConnectionTables } from "../connections/tables.ts";
import type { FleetTables } from "../fleet/tables.ts";
import type { OfferTables } from "../offers/tables.ts";
import type { ReplicaTables } from "../replicas/tables.ts";
import type { RolloutTables } from "../rollouts/tables.ts";

/** Every table of the database, by name; each room describes its own. */
export interface Tables
  extends FleetTables,
    OfferTables,
    ReplicaTables,
    ConfigurationTables,
    ConnectionTables,
    RolloutTables,
    AccessTables,
    AuditTables,
    CertificateTables,
    StorageTables {}

interface StorageTables {
  /** One counter for each kind of row that replicas read from each other; it only grows. */
  revisions: { name: "agents" | "rules" | "configurations"; value: number };
  /** See Secrets. */
  secrets: { name: string; sealed: string };
}
