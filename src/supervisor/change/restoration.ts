import { toHex } from "../../foundation/hex.ts";
import type { Logger } from "../../foundation/logger.ts";
import type { AgentRemoteConfig } from "../../opamp/messages.ts";
import type { RunningRecord } from "../collector/collector.ts";
import { programHash } from "../collector/launch.ts";
import type { CollectorProcess } from "../collector/process.ts";
import type { ConfigurationIntake } from "./configuration-intake.ts";
import type { Guard } from "./guard.ts";
import type { JournalEntry } from "./journal.ts";
import type { Road } from "./road.ts";
import { stateSaved } from "./state-saved.ts";
import type { WayBack } from "./way-back.ts";
import type { Workshop } from "./workshop.ts";

interface RestorationDeps {
  workshop: Workshop;
  road: Road;
  guard: Guard;
  wayBack: WayBack;
  intake: ConfigurationIntake;
  /** The change that an earlier process left under way. */
  unfinished: JournalEntry | undefined;
  /** Ends the journal's entry of a change that cannot be gone on with. */
  forgetUnfinished(): Promise<unknown>;
  /** The Collector that an earlier process left running, and what was written down about it. */
  found: { process: CollectorProcess; record: RunningRecord | undefined } | undefined;
  /** Lets the server offer a configuration again of which this host has lost its part. */
  askServerAgain: (remoteHash: string | null) => Promise<unknown>;
  /** Kept by an earlier supervisor, perhaps the reference: used when nothing better is known. */
  savedRemote: AgentRemoteConfig | undefined;
}

/**
 * Brings the host to where it should be after a start: adopts, finishes, reverts, starts. The road must be
 * paused; it is opened when all that comes first is in front. Resolves to whether the change that was under way goes
 * on.
 */
export async function restore(deps: RestorationDeps): Promise<boolean> {
  try {
    return await plan(deps);
  } finally {
    deps.road.open();
  }
}

async function plan(deps: RestorationDeps): Promise<boolean> {
  const { workshop, road, intake, unfinished } = deps;
  const { logger, collector } = workshop;
  const adopted = await adopt(deps);
  const change = unfinished && (await intake.rebuild(unfinished));
  if (unfinished !== undefined && change === undefined) {
    const fields = { event: "change_lost", change: unfinished.id, step: unfinished.step };
    logger.error(
      fields,
      "a change that was under way cannot be read any more; what ran before it is brought back",
    );
    await deps.forgetUnfinished();
  }
  const touched = unfinished?.step !== "staging" && unfinished?.step !== "checking";
  const isLocal = unfinished?.detail.trigger === "local";
  if (unfinished !== undefined && change !== undefined && isLocal && !touched) {
    // What this host has now counts, not what it had then, and not over what the server has offered since.
    await deps.forgetUnfinished();
    await intake.repeatLocal(unfinished);
  } else if (unfinished !== undefined && change !== undefined) {
    logger.info(
      { event: "change_resumed", change: unfinished.id, step: unfinished.step },
      "going on with the change that was under way",
    );
    if (!touched) await runCurrent(deps, adopted);
    road.resume(change, unfinished, laneOf(unfinished));
    // A change that had only to be kept starts nothing, and the machine may have been off since.
    road.urgent(async () => {
      await startIfStopped(deps);
      // One that had only to be kept does not say that something else runs.
      deps.guard.watchCurrent();
      if (touched) await applyLocalChanges(deps);
    });
    return true;
  }
  if (collector.state.t === "stopped") await runCurrent(deps, adopted);
  else if (adopted === "current") await afterAdoption(deps);
  else await runCurrent(deps, adopted);
  await offerWhatAnotherKept(deps);
  return false;
}

function laneOf({ kind, detail }: JournalEntry): string {
  if (kind === "packages") return "packages";
  return detail.trigger === "local" || detail.trigger === "rollback" ? detail.trigger : "remote";
}

/** The reference may have run in between: the file that it shares with us then names what it applied. */
async function offerWhatAnotherKept({ workshop, intake, savedRemote }: RestorationDeps): Promise<void> {
  const { current } = workshop.book;
  if (current === null || intake.isPending) return;
  if (savedRemote === undefined) {
    // The supervisor died before it had put the files right.
    if (intake.accepted.remote !== undefined) await workshop.saveKept(intake.accepted);
    return;
  }
  const hash = toHex(savedRemote.configHash);
  if (hash === current.remoteHash) return;
  // The same, with one there that failed.
  if (workshop.book.quarantineOf(hash) !== undefined) await workshop.saveKept(intake.accepted);
  else await intake.offerRemote(savedRemote);
}

/** Takes over what runs if it is known and runs what should run; ends it otherwise, for two must never run. */
async function adopt({
  workshop,
  unfinished,
  found,
}: RestorationDeps): Promise<"current" | "candidate" | "none"> {
  if (found === undefined) return "none";
  const { process, record } = found;
  const { book, collector, logger } = workshop;
  // One that failed is adopted by nobody, even if it lives.
  const isCurrent = record !== undefined && record.mark === book.current?.id && !book.currentIsQuarantined;
  const isCandidate = record !== undefined && record.mark === unfinished?.id;
  const packages = isCandidate ? await packagesOf(workshop, record.mark) : book.current?.packages;
  const role = isCandidate ? "desired" : (book.current?.role ?? "desired");
  const launch =
    record === undefined || !(isCurrent || isCandidate)
      ? undefined
      : await workshop.launch({ id: record.mark, packages: packages ?? null, role }).catch(() => undefined);
  const sameProgram = launch !== undefined && record !== undefined && programHash(launch) === record.program;
  if (launch === undefined || record === undefined || !sameProgram) {
    const reason =
      record === undefined
        ? "unknown"
        : isCurrent || isCandidate
          ? "another binary or arguments"
          : "another configuration";
    logger.warn(
      { event: "collector_replaced", pid: process.pid, reason },
      "ending a Collector that is not the one that should run",
    );
    await process.stop({ graceMs: 10_000 });
    return "none";
  }
  await collector.adopt(process, launch, record.healthy);
  logger.info(
    { event: "collector_adopted", pid: process.pid },
    "adopted the Collector that was left running",
  );
  return isCurrent ? "current" : "candidate";
}

async function packagesOf({ snapshots }: Workshop, id: string): Promise<string | null> {
  return (await snapshots.load(id))?.inputs.packages ?? null;
}

async function runCurrent(deps: RestorationDeps, adopted: "current" | "candidate" | "none"): Promise<void> {
  const { workshop, intake, savedRemote } = deps;
  const { book, snapshots } = workshop;
  if (adopted === "current") return afterAdoption(deps);
  const { current } = book;
  const known = current !== null && (current.id === null || (await snapshots.load(current.id)) !== undefined);
  if (!known) {
    // The server may have been quicker than the disk.
    if (intake.isPending) return;
    if (savedRemote !== undefined) await intake.offerRemote(savedRemote);
    else await startWithoutRemote(deps);
    return;
  }
  if (current.id === null) return;
  const { id } = current;
  deps.road.urgent(() => start(deps, id));
  await applyLocalChanges(deps);
}

/** There is nothing of the server's to run, or not any more. */
async function startWithoutRemote({
  workshop,
  road,
  intake,
  wayBack,
  askServerAgain,
}: RestorationDeps): Promise<void> {
  const { book } = workshop;
  if (book.current !== null) await askServerAgain(book.current.remoteHash);
  if (book.current === null && workshop.hasFallback && !(await intake.hasLocalFiles())) {
    // What the administrator wrote for this very case is better than an empty Collector.
    road.urgent(async () => {
      if (book.current === null) await wayBack.go("there is no configuration yet", { orElse: "bootstrap" });
    });
    return;
  }
  intake.changeLocal("start");
}

async function start({ workshop, wayBack, guard }: RestorationDeps, id: string): Promise<void> {
  const { book, collector, logger } = workshop;
  if (book.current?.id !== id) return;
  if (book.currentIsQuarantined) {
    const orElse = book.wayBack.length > 0 ? "hold" : "bootstrap";
    await wayBack.go("it failed before the restart", { orElse, skipCurrent: true });
    return;
  }
  guard.watchCurrent();
  const what = { ...book.current, id };
  const missing = await workshop.missingProgram(what.packages);
  if (missing !== undefined) {
    logger.error({ event: "program_missing", reason: missing }, "the program that ran is not there any more");
    await wayBack.go(missing, { orElse: "hold", skipCurrent: true });
    return;
  }
  // A full disk must not keep the Collector from what lies there already.
  const installed = await stateSaved(logger, () => workshop.install(what));
  const launch = await workshop.launch(what, installed ? undefined : workshop.snapshots.path(id));
  try {
    await collector.run(launch, false);
  } catch (error) {
    logger.error(
      { event: "start_failed", error: (error as Error).message },
      "the Collector cannot be started with the configuration that it ran",
    );
    collector.relaunchAfter(launch, 1_000, (error as Error).message);
  }
}

async function startIfStopped(deps: RestorationDeps): Promise<void> {
  const { collector, book } = deps.workshop;
  if (collector.state.t === "stopped" && book.current?.id != null) await start(deps, book.current.id);
}

async function afterAdoption(deps: RestorationDeps): Promise<void> {
  deps.guard.watchCurrent();
  await applyLocalChanges(deps);
}

/** Files, settings, the binary or the local port may have changed while nobody looked. */
async function applyLocalChanges({ workshop, intake, askServerAgain }: RestorationDeps): Promise<void> {
  const { current } = workshop.book;
  if (current === null || current.role === "fallback") return;
  if (current.id !== null && (await workshop.snapshots.load(current.id)) === undefined) {
    // What it was made from is lost, and anything else would be less than what runs.
    await askServerAgain(current.remoteHash);
    return;
  }
  const contentHash = await intake
    .presentContentHash()
    .catch((error: unknown) => note(workshop.logger, error));
  const samePackages = intake.accepted.packages === current.packages;
  if ((contentHash !== undefined && contentHash !== current.contentHash) || !samePackages)
    intake.changeLocal("changed while the supervisor was away");
}

function note(logger: Logger, error: unknown): undefined {
  logger.error(
    { event: "merge_failed", error: error instanceof Error ? error.message : String(error) },
    "what runs cannot be merged again; it goes on as it is",
  );
  return undefined;
}
