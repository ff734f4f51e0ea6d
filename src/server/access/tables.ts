import type { Role } from "./role.ts";

/** A key of somebody who uses the API, or of an Agent. Times are milliseconds since the Unix epoch. */
interface ApiKeysTable {
  id: string;
  name: string;
  /** Of the secret, see hashSecret; the secret itself is nowhere. */
  hash: string;
  /** `agent` opens the OpAMP endpoint and nothing else. */
  role: Role | "agent";
  created_by: string;
  created_at: number;
  expires_at: number;
  revoked_at: number | null;
  /** Of a key that Agents come with for the first time: how many may still. Null: any number. */
  uses_left: number | null;
}

export interface AccessTables {
  api_keys: ApiKeysTable;
}
