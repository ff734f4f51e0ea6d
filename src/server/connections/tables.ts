/** Connection settings that were offered, never changed once there. */
interface ConnectionSettingsTable {
  /** Hexadecimal. */
  hash: string;
  /** JSON; secrets stand in it by name. */
  settings: string;
  created_at: number;
}

/** What offers of connections keep. */
export interface ConnectionTables {
  connection_settings: ConnectionSettingsTable;
}
