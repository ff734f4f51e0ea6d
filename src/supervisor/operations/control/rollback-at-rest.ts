import { access } from "node:fs/promises";
import { create } from "@bufbuild/protobuf";
import { systemClock } from "../../../foundation/clock.ts";
import { toHex } from "../../../foundation/hex.ts";
import { silentLogger } from "../../../foundation/logger.ts";
import {
  AgentRemoteConfigSchema,
  RemoteConfigStatuses,
  RemoteConfigStatusSchema,
} from "../../../opamp/messages.ts";
import {
  type BookContent,
  ConfigurationBook,
  faultHash,
  type Reference,
} from "../../change/configuration-book.ts";
import { journalSchema } from "../../change/journal.ts";
import { maxTries, packagesRecordSchema, withTries } from "../../change/packages-record.ts";
import { rollbackReason } from "../../change/rollback.ts";
import { Snapshots } from "../../change/snapshots.ts";
import { remoteConfigFile, saveMessage } from "../../storage/message-file.ts";
import { loadPersistentState, savePersistentState } from "../../storage/persistent-state.ts";
import { StateDirectory } from "../../storage/state-directory.ts";
import { bookFile, packagesFile, readBookAtRest, readJson, withStateAtRest } from "./at-rest.ts";
import { Refusal } from "./refusal.ts";
import { describeRollback, pickRollback, type RollbackPlan } from "./rollback-command.ts";

/** More than anybody keeps: which older packages stay is for the supervisor to say. */
const allPackages = 1_000;

/**
 * Has the next start of a supervisor that is not running go back: it runs the older configuration on probation, and
 * what ran is the way back from that.
 * @throws Refusal when that is not safe, or an Error for people.
 */
export async function rollBackAtRest(
  path: string,
  { wanted, fromId, text }: { wanted: string | undefined; fromId: string | null; text: string },
): Promise<RollbackPlan> {
  return withStateAtRest(path, async (directory) => {
    const content = await readBookAtRest(path);
    const { from, to } = pickRollback(content, { wanted, fromId });
    const journal = await readJson(path, "journal.json", journalSchema);
    if (journal != null) {
      const what = `a change was under way (${journal.step}) when the supervisor ended`;
      throw new Refusal(409, `${what}: start it, which finishes that or takes it back, and then roll back`);
    }
    const folder = await StateDirectory.open(directory.path("configurations"), {
      clock: systemClock,
      logger: silentLogger,
    });
    const snapshot = to.id === null ? undefined : await new Snapshots(folder).load(to.id);
    if (snapshot === undefined) {
      throw new Refusal(409, "its snapshot in the state directory is missing or damaged");
    }
    if (to.packages !== null) await access(directory.path(`packages/sets/${to.packages}`)).catch(missing);
    const reason = rollbackReason(text);
    await directory.write(bookFile, `${JSON.stringify(await rolledBack(content, { from, to, reason }))}\n`);
    await tellFailed(directory, { from, to, reason });
    if (from.packages !== to.packages) await refusePackages(directory);
    const { remote } = snapshot.inputs;
    // Shared with the reference supervisor, which is not to run what was rolled back either.
    if ((await directory.read(remoteConfigFile)) !== undefined) {
      if (remote === undefined) await directory.remove(remoteConfigFile);
      else await saveMessage(directory, remoteConfigFile, AgentRemoteConfigSchema, remote);
    }
    return describeRollback({ from, to });
  });
}

interface Decision {
  from: Reference;
  to: Reference;
  reason: string;
}

async function rolledBack(content: BookContent, { from, to, reason }: Decision): Promise<BookContent> {
  let written = content;
  const save = async (next: BookContent) => {
    written = next;
    return true;
  };
  const book = new ConfigurationBook(content, save, allPackages);
  const { untried: _untried, ...known } = to;
  await book.keep({ ...known, role: "last-known-good" });
  await book.quarantine({ hash: faultHash(from), reason, at: systemClock.now(), cause: from.cause });
  return written;
}

/** The next start says to the server what is written down here. */
async function tellFailed(directory: StateDirectory, { from, to, reason }: Decision): Promise<void> {
  const state = await loadPersistentState(directory);
  if (state === undefined || from.remoteHash === null || from.remoteHash === to.remoteHash) return;
  const { lastRemoteConfigHash } = state.remoteConfigStatus;
  if (toHex(lastRemoteConfigHash) !== from.remoteHash) return;
  const status = RemoteConfigStatuses.RemoteConfigStatuses_FAILED;
  const remoteConfigStatus = create(RemoteConfigStatusSchema, {
    status,
    lastRemoteConfigHash,
    errorMessage: reason,
  });
  await savePersistentState(directory, { ...state, remoteConfigStatus });
}

/** That they are offered again must not bring them back. */
async function refusePackages(directory: StateDirectory): Promise<void> {
  const record = await readJson(directory.path("."), packagesFile, packagesRecordSchema);
  if (record === undefined) return;
  const tries = withTries(record, record.offer, maxTries);
  await directory.write(packagesFile, `${JSON.stringify({ ...record, tries })}\n`);
}

function missing(): never {
  throw new Refusal(409, "the packages that it ran with are not on this host any more");
}
