import type { ConnectionCandidate, ConnectionRecord, OfferVerdict } from "../connection/connection-record.ts";
import type { JournalEntry } from "./journal.ts";

/** What an earlier process has left of its connection settings. */
export interface LeftConnection {
  record: ConnectionRecord;
  candidate: ConnectionCandidate | null;
  entry: JournalEntry | undefined;
}

/** What to start with. */
export interface RestoredConnection {
  record: ConnectionRecord;
  /** A candidate that is to be tried (again), beside what was kept. */
  unfinished: { candidate: ConnectionCandidate; entry: JournalEntry } | undefined;
  /** Whether supervisor.yaml was edited since, so that what was kept over it does not count any more. */
  superseded: boolean;
}

/**
 * Decides what the first connection is made with: never with a candidate that no server has answered. One that was
 * proven counts as kept, one that failed as refused.
 * @param basis digest of the server section of supervisor.yaml; undefined where offers are not accepted any more.
 */
export function restoreConnection(
  { record, candidate, entry }: LeftConnection,
  basis: string | undefined,
  now: number,
): RestoredConnection {
  const bases = [record.kept?.basis, candidate?.basis].filter((each) => each !== undefined);
  if (bases.some((each) => each !== basis)) {
    // The administrator has the last word.
    return { record: { kept: null, verdict: null }, unfinished: undefined, superseded: true };
  }
  if (candidate === null || entry?.id !== candidate.id) {
    return { record, unfinished: undefined, superseded: false };
  }
  const { offer, overrides } = candidate;
  if (entry.step === "keeping") {
    const verdict: OfferVerdict = { offer, outcome: "applied", reason: "", ownFault: false, at: now };
    const kept = { overrides, offer, basis: candidate.basis };
    return { record: { kept, verdict }, unfinished: undefined, superseded: false };
  }
  if (entry.step === "reverting") {
    const { reason, fault } = entry.failure ?? { reason: "interrupted", fault: "host" };
    const ownFault = fault === "own";
    const verdict: OfferVerdict = { offer, outcome: "failed", reason, ownFault, at: now };
    return { record: { ...record, verdict }, unfinished: undefined, superseded: false };
  }
  return { record, unfinished: { candidate, entry }, superseded: false };
}
