import { toHex } from "../../../foundation/hex.ts";
import { AgentRemoteConfigSchema, RemoteConfigStatuses } from "../../../opamp/messages.ts";
import { type BookContent, hasWorked, type Reference } from "../../change/configuration-book.ts";
import { journalSchema } from "../../change/journal.ts";
import { packagesRecordSchema } from "../../change/packages-record.ts";
import { hashOf } from "../../change/rollback.ts";
import { connectionRecordSchema } from "../../connection/connection-record.ts";
import { loadMessage, waitingRemoteFile } from "../../storage/message-file.ts";
import { loadPersistentState } from "../../storage/persistent-state.ts";
import { ReadOnlyDirectory } from "../../storage/read-only-directory.ts";
import { packagesFile, readBookAtRest, readJson } from "../control/at-rest.ts";

/** What became of one offer, or of an edit on this host. */
export interface OfferAccount {
  what: "configuration" | "packages" | "connection settings";
  /** In hexadecimal; what is quarantined may have a kind before it. */
  hash: string;
  /** As the server is told: APPLYING, APPLIED, FAILED; or REFUSED, RAN BEFORE, WAITING. */
  status: string;
  /** The Collector's own last words included, a line each; secrets are masked. */
  reason: string | null;
  /** Milliseconds since the Unix epoch, where it is known. */
  at: number | null;
  /** It is refused without being tried again. */
  quarantined: boolean;
}

/** The offers that this host knows of, and what runs. */
export interface Offers {
  /** The newest first, as far as their order is known. */
  accounts: OfferAccount[];
  runs: { role: string; hash: string | null };
  /** The step of the change under way. */
  underWay: string | null;
}

/** The last offer as a running supervisor has it: what is under way is on no disk. */
export type LastOffer = { status: string; hash: string | null; error: string | null };

/**
 * Reads what is known of offers from the state directory.
 * @throws an Error for people when it cannot be read.
 */
export async function findOffers(directory: string, last: LastOffer | undefined): Promise<Offers> {
  const book = await readBookAtRest(directory);
  const { current } = book;
  const journal = await readJson(directory, "journal.json", journalSchema);
  const remote = await remoteAccounts(directory, book, last);
  return {
    accounts: [...remote, ...(await packagesAccount(directory)), ...(await connectionAccount(directory))],
    runs: {
      role: current === null ? "none" : current.id === null ? "stopped" : current.role,
      hash: current === null || current.id === null || !hasWorked(current) ? null : hashOf(current),
    },
    underWay: journal?.step ?? null,
  };
}

async function remoteAccounts(
  directory: string,
  { current, wayBack, quarantined }: BookContent,
  told: LastOffer | undefined,
): Promise<OfferAccount[]> {
  const accounts: OfferAccount[] = [];
  const state = new ReadOnlyDirectory(directory);
  const { status, hash, error } = told ?? (await lastOnDisk(state));
  const known = quarantined.find((entry) => entry.hash === hash);
  if (hash !== null)
    accounts.push(
      accountOf(hash, status, { reason: error, at: known?.at ?? null, quarantined: known !== undefined }),
    );
  const waiting = await loadMessage(state, waitingRemoteFile, AgentRemoteConfigSchema);
  if (waiting !== undefined) accounts.push(accountOf(toHex(waiting.configHash), "WAITING"));
  for (const entry of quarantined.toReversed()) {
    const { reason, at } = entry;
    accounts.push(accountOf(entry.hash, "REFUSED", { reason, at, quarantined: true }));
  }
  const ran = (reference: Reference) => accounts.push(accountOf(hashOf(reference), "RAN BEFORE"));
  if (current !== null && hasWorked(current)) accounts.push(accountOf(hashOf(current), "RUNS"));
  for (const reference of wayBack) ran(reference);
  const seen = new Set<string>();
  return accounts.filter((account) => !seen.has(account.hash) && seen.add(account.hash));
}

function accountOf(
  hash: string,
  status: string,
  { reason = null, at = null, quarantined = false }: Partial<OfferAccount> = {},
): OfferAccount {
  const what = /(?:^|\+)packages:/.test(hash) ? "packages" : "configuration";
  return { what, hash, status, reason, at, quarantined };
}

async function lastOnDisk(state: ReadOnlyDirectory): Promise<LastOffer> {
  const { remoteConfigStatus } = (await loadPersistentState(state)) ?? {};
  const { status = 0, lastRemoteConfigHash = new Uint8Array(), errorMessage = "" } = remoteConfigStatus ?? {};
  const name = (RemoteConfigStatuses[status] ?? "UNSET").replace("RemoteConfigStatuses_", "");
  return { status: name, hash: toHex(lastRemoteConfigHash) || null, error: errorMessage || null };
}

async function packagesAccount(directory: string): Promise<OfferAccount[]> {
  const record = await readJson(directory, packagesFile, packagesRecordSchema);
  if (record === undefined || record.outcome === "none") return [];
  const statuses = { "under-way": "APPLYING", applied: "APPLIED", failed: "FAILED" } as const;
  const reason = record.outcome === "failed" ? (record.failure?.reason ?? null) : null;
  return [
    {
      what: "packages",
      hash: record.offer,
      status: statuses[record.outcome],
      reason,
      at: null,
      quarantined: false,
    },
  ];
}

async function connectionAccount(directory: string): Promise<OfferAccount[]> {
  const record = await readJson(directory, "connection_settings.json", connectionRecordSchema);
  if (record?.verdict == null) return [];
  const { offer, outcome, reason, at } = record.verdict;
  return [
    {
      what: "connection settings",
      hash: offer.hash || offer.key,
      status: outcome.toUpperCase(),
      reason: reason || null,
      at,
      quarantined: false,
    },
  ];
}
