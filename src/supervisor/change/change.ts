/** Why a change was refused or taken back. */
export interface Failure {
  /**
   * `own`: the change itself is bad and its hash is quarantined. `host`: disk full, a check that timed
   * out, a supervisor that died; it may be tried again. `untrusted`: nobody whom this host trusts has vouched for it,
   * so that it can neither be tried nor speak for its hash; it is looked at again when it is offered again.
   */
  fault: "own" | "host" | "untrusted";
  /** For the server and the log: one clear line first, then what the Collector said. Secrets masked. */
  reason: string;
}

/** The steps of the road, in order; each is journalled before it happens. */
export type Step = "staging" | "checking" | "switching" | "proving" | "keeping" | "reverting";

/** What the journal holds of a change, enough to finish or revert it in another process. */
export interface ChangeRecord {
  kind: "configuration" | "packages" | "connection";
  /** Unique; also the mark by which the Collector's link proves that it runs this change. */
  id: string;
  /** What the kind needs to build the change again. */
  detail: Record<string, unknown>;
}

/**
 * One change on the road: stage, check, switch, prove, then keep or revert. A step that fails returns why.
 * Only {@link switchOver} and what follows may touch the running Collector.
 */
export interface Change {
  readonly record: ChangeRecord;
  /** Writes the candidate beside the live one. */
  stage(): Promise<Failure | undefined>;
  /** Finds out what can be found out without stopping anything. `unchanged`: nothing to switch, keep as is. */
  check(signal: AbortSignal): Promise<Failure | "unchanged" | undefined>;
  switchOver(): Promise<Failure | undefined>;
  prove(): Promise<Failure | undefined>;
  /** Makes it the one to come back to. Must be repeatable. */
  keep(how: "switched" | "unchanged"): Promise<void>;
  /** It failed before anything was touched. Must be repeatable. */
  reject(failure: Failure): Promise<void>;
  /** It failed after the switch: brings back what ran before. Must be repeatable. */
  revert(failure: Failure): Promise<void>;
}
