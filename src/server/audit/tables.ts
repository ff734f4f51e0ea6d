/** One entry of the audit log; never changed once written. */
interface AuditTable {
  number: number;
  /** Milliseconds since the Unix epoch. */
  at: number;
  actor: string;
  actor_by: string;
  role: string;
  address: string;
  action: string;
  target: string;
  outcome: "done" | "refused";
  /** JSON, or null. */
  before: string | null;
  after: string | null;
  reason: string | null;
  /** Of this entry and the hash of the one before it, hexadecimal. */
  hash: string;
}

export interface AuditTables {
  audit: AuditTable;
  /** One row: number and hash of the last entry. */
  audit_end: { number: number; hash: string };
}
