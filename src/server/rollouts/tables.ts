/** A rollout. Times are Unix milliseconds. */
interface RolloutsTable {
  id: string;
  created_at: number;
  /** Whether something is still to be done. */
  under_way: number;
  /** Grows with every write: who writes on top of what it has not read is refused. */
  version: number;
  /** All of it, as JSON; its strategy as the document that it was made from. */
  document: string;
}

/** The Agents of a rollout's stages. */
interface RolloutMembersTable {
  rollout_id: string;
  uid: string;
  released_at: number | null;
  /** All of it, as JSON. */
  document: string;
}

/** What was decided, in order. */
interface RolloutStoryTable {
  rollout_id: string;
  number: number;
  at: number;
  /** All of it, as JSON. */
  document: string;
}

/** What no rollout may offer again under this hash. */
interface QuarantineTable {
  kind: string;
  hash: string;
  at: number;
  rollout_id: string;
  reason: string;
}

/** Strategies of this server's own, by name. */
interface RolloutStrategiesTable {
  name: string;
  updated_at: number;
  document: string;
}

/** What rollouts keep. */
export interface RolloutTables {
  rollouts: RolloutsTable;
  rollout_members: RolloutMembersTable;
  rollout_story: RolloutStoryTable;
  quarantined_hashes: QuarantineTable;
  rollout_strategies: RolloutStrategiesTable;
}
