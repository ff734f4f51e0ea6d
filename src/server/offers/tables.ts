/** What is to run: of each lane the newest active rule that applies to an Agent. Times are in milliseconds. */
interface RulesTable {
  /** Of the revision counter `rules`, so that it grows with every rule of whatever replica. */
  number: number;
  /** `configuration`, `packages`, or one kind of connection settings. */
  lane: string;
  /** What it names, by hash in hexadecimal: for configurations a row of `configurations`. */
  what: string;
  selector: string;
  /** `retired`: newer ones of the same selector hide it, more than can be gone back over. */
  state: "active" | "withdrawn" | "retired";
  /** Rules with one bundle are offered in one message, so that neither is tried without the other. */
  bundle: string | null;
  /** The rollout that decides whom it has reached; null: it applies to all that the selector picks. */
  rollout_id: string | null;
  created_at: number;
  ended_at: number | null;
  /** Of the revision counter `rules`, at the last write. */
  revision: number;
}

/** Configurations, never changed once there. */
interface ConfigurationsTable {
  /** Hexadecimal. */
  hash: string;
  /** AgentConfigMap. */
  body: Uint8Array;
  created_at: number;
  /** JSON list of the names of secrets that its text refers to; null: none. */
  secrets: string | null;
}

/** Sets of packages, never changed once there. */
interface PackageSetsTable {
  /** Hexadecimal. */
  hash: string;
  /** JSON list of what was chosen. */
  files: string;
  created_at: number;
}

/** What each Agent was offered, and what it answered; only the newest of each Agent are kept. */
export interface OffersTable {
  uid: string;
  /** Counts the offers of this Agent. */
  number: number;
  lane: string;
  /** Hexadecimal. */
  hash: string;
  rule: number;
  offered_at: number;
  /** As the Agent named it last, for example `APPLYING`, `APPLIED`, `FAILED`; null: no answer yet. */
  answer: string | null;
  answered_at: number | null;
  error: string | null;
}

/** What offers keep. */
export interface OfferTables {
  rules: RulesTable;
  configurations: ConfigurationsTable;
  package_sets: PackageSetsTable;
  offers: OffersTable;
}
