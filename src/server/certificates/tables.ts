/** A certificate of an Agent: one that was issued here, or one that was seen. Times are milliseconds since the Unix epoch. */
interface CertificatesTable {
  /** SHA-256 of it, hexadecimal. Also the hash of the offer that brought it. */
  fingerprint: string;
  /** Hexadecimal. Unique among those of one authority only. */
  serial: string;
  /** Canonical; null: it names no Agent, as one that many share. */
  instance_uid: string | null;
  origin: "issued" | "seen";
  /** Of the request it answers, SHA-256 in hexadecimal; null unless it was issued here for one. */
  request_hash: string | null;
  /** Null unless it was issued here. */
  pem: string | null;
  /** When it was issued, or first seen. */
  created_at: number;
  expires_at: number;
  /** When an Agent first and last spoke with it. */
  used_at: number | null;
  last_seen_at: number | null;
  /** When its Agent said that it keeps it, or why it does not. */
  applied_at: number | null;
  failure: string | null;
  revoked_at: number | null;
  revoke_reason: string | null;
}

/** What Agents asked for that a person has to decide on. */
interface CertificateRequestsTable {
  id: string;
  instance_uid: string;
  csr: string;
  csr_hash: string;
  remote_address: string;
  /** Why it was not issued by itself. */
  cause: string;
  requested_at: number;
  state: "pending" | "approved" | "refused";
  decided_at: number | null;
  decided_by: string | null;
  reason: string | null;
}

export interface CertificateTables {
  certificates: CertificatesTable;
  certificate_requests: CertificateRequestsTable;
}
