/** Agents as they were last known. Times are milliseconds since the Unix epoch. */
export interface AgentsTable {
  /** The instance UID in canonical form. */
  uid: string;
  /** All small parts of what it reported, as one AgentToServer message. */
  report: Uint8Array;
  /** JSON of what the control plane notes of it. */
  notes: string;
  transport: "websocket" | "http";
  remote_address: string;
  first_seen: number;
  applied_hash: string | null;
  /** Null: it is connected to `replica`. */
  gone_since: number | null;
  gone_reason: string | null;
  /** The replica that holds, or held last, its connection. */
  replica: string;
  /** Of the revision counter `agents`, at the last write. */
  revision: number;
}

/** Apart from `agents`, for every heartbeat changes it. */
export interface AgentContactsTable {
  uid: string;
  last_seen: number;
  /** Decimal: it has 64 bits. */
  sequence_num: string;
}

/** The large parts of a report, which seldom change. */
export interface AgentDocumentsTable {
  uid: string;
  part: "effectiveConfig" | "availableComponents";
  /** The protobuf message, compressed. */
  body: Uint8Array;
}

/** Labels that operators gave an Agent; they stay when it is forgotten and comes back. */
interface AgentLabelsTable {
  uid: string;
  name: string;
  value: string;
}

/** Named selectors; of several that pick an Agent the one with the highest priority is its group. */
interface AgentGroupsTable {
  name: string;
  selector: string;
  priority: number;
  description: string;
  /** Milliseconds since the Unix epoch. */
  created_at: number;
  updated_at: number;
}

/** What the fleet keeps. */
export interface FleetTables {
  agents: AgentsTable;
  agent_contacts: AgentContactsTable;
  agent_documents: AgentDocumentsTable;
  agent_labels: AgentLabelsTable;
  agent_groups: AgentGroupsTable;
}
