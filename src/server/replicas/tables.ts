/** Servers that share the database. Times are milliseconds since the Unix epoch, by the database's clock. */
interface ReplicasTable {
  id: string;
  host: string;
  started_at: number;
  /** A replica that has not extended it by then counts as dead. */
  expires_at: number;
}

/** What only one replica at a time may do. */
interface LeasesTable {
  name: string;
  /** Id of a replica. */
  holder: string;
  /** Grows each time the lease changes hands. */
  fence: number;
  expires_at: number;
}

export interface ReplicaTables {
  replicas: ReplicasTable;
  leases: LeasesTable;
}
