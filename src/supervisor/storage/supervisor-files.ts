import { randomBytes } from "node:crypto";
import { statfsSync } from "node:fs";
import { create } from "@bufbuild/protobuf";
import * as z from "zod/mini";
import type { Clock } from "../../foundation/clock.ts";
import { describeError } from "../../foundation/errors.ts";
import type { Logger } from "../../foundation/logger.ts";
import { formatInstanceUid, newInstanceUid, parseInstanceUid } from "../../opamp/instance-uid.ts";
import {
  type AgentRemoteConfig,
  AgentRemoteConfigSchema,
  type ConnectionSettingsOffers,
  ConnectionSettingsOffersSchema,
  type PackagesAvailable,
  type RemoteConfigStatus,
  RemoteConfigStatuses,
  RemoteConfigStatusSchema,
  type ServerToAgent,
  ServerToAgentSchema,
} from "../../opamp/messages.ts";
import { type BookContent, bookSchema, emptyBook } from "../change/configuration-book.ts";
import { type JournalEntry, journalSchema } from "../change/journal.ts";
import { noPackagesRecord, type PackagesRecord, packagesRecordSchema } from "../change/packages-record.ts";
import { type ConfigurationInputs, Snapshots } from "../change/snapshots.ts";
import type { RunningRecord } from "../collector/collector.ts";
import type { RestartSnapshot } from "../collector/restart-policy.ts";
import { noTrustRecord, type TrustRecord, trustRecordSchema } from "../trust/trust-record.ts";
import { type ConnectionFiles, openConnectionFiles } from "./connection-files.ts";
import { healSnapshot } from "./heal-snapshot.ts";
import { JsonRecord } from "./json-record.ts";
import { findLastInputs } from "./last-inputs.ts";
import {
  loadMessage,
  ownTelemetryFile,
  packagesFile,
  remoteConfigFile,
  saveMessage,
  waitingRemoteFile,
} from "./message-file.ts";
import { loadPersistentState, type PersistentState, savePersistentState } from "./persistent-state.ts";
import { type InstanceLock, lockInstance } from "./single-instance.ts";
import { StateDirectory } from "./state-directory.ts";

const linkSchema = z.object({
  port: z.number(),
  token: z.string(),
  /** A second copy: an agent that changes its name because a file is damaged is a stranger to its server. */
  instance_uid: z._default(z.string(), ""),
});
const runningSchema = z.nullable(
  z.object({
    process: z.object({ pid: z.number(), startTime: z.string() }),
    mark: z.string(),
    program: z.string(),
    healthy: z.boolean(),
  }),
);
const crashesSchema = z.object({ exits: z.array(z.number()), attempt: z.number() });

/** Every file of one supervisor, loaded. Damaged ones were set aside and count as missing. */
export class SupervisorFiles {
  readonly #directory: StateDirectory;
  readonly #hadCurrent: boolean;
  readonly #lock: InstanceLock;
  readonly snapshots: Snapshots;
  readonly book: JsonRecord<BookContent>;
  readonly running: JsonRecord<RunningRecord | null>;
  readonly crashes: JsonRecord<RestartSnapshot>;
  readonly link: JsonRecord<z.infer<typeof linkSchema>>;
  readonly connection: ConnectionFiles;
  /** The remote configuration that was kept last, by this supervisor or the reference. */
  readonly savedRemote: AgentRemoteConfig | undefined;
  /** A remote configuration that this host could not take yet. */
  readonly waitingRemote: AgentRemoteConfig | undefined;
  readonly trust: JsonRecord<TrustRecord>;
  /** How far the last offer of packages came. */
  readonly packages: JsonRecord<PackagesRecord>;
  /** The last offer of packages. */
  readonly savedPackages: ServerToAgent | undefined;
  /** What the last accepted configuration was made from, as far as it is known. */
  readonly lastInputs: ConfigurationInputs;
  readonly #journal: JsonRecord<JournalEntry | null>;
  #persistent: PersistentState;

  constructor(parts: Parts) {
    this.#directory = parts.directory;
    this.#lock = parts.lock;
    this.snapshots = parts.snapshots;
    this.book = parts.book;
    this.#hadCurrent = parts.book.value.current !== null;
    this.running = parts.running;
    this.crashes = parts.crashes;
    this.link = parts.link;
    this.connection = parts.connection;
    this.savedRemote = parts.savedRemote;
    this.waitingRemote = parts.waitingRemote;
    this.trust = parts.trust;
    this.packages = parts.packages;
    this.savedPackages = parts.savedPackages;
    this.lastInputs = parts.lastInputs;
    this.#journal = parts.journal;
    this.#persistent = parts.persistent;
  }

  /** Whether this host had ever a configuration to run when these files were opened. */
  get everRan(): boolean {
    return this.#hadCurrent || this.savedRemote !== undefined;
  }

  get instanceUid(): Uint8Array {
    return this.#persistent.instanceUid;
  }

  get remoteConfigStatus(): RemoteConfigStatus {
    return this.#persistent.remoteConfigStatus;
  }

  /** The change that an earlier process left under way. */
  get unfinished(): JournalEntry | undefined {
    return this.#journal.value ?? undefined;
  }

  /** How the disk takes what is written down. */
  get storage(): { unwritten: readonly string[]; freeBytes: number | undefined } {
    return { unwritten: this.#directory.unwritten, freeBytes: freeBytes(this.#directory.path(".")) };
  }

  path(name: string): string {
    return this.#directory.path(name);
  }

  /**
   * Puts a snapshot where the Collector reads its configuration: a copy, for others write that file in place
   * and must not reach the snapshot; a link where the disk has no room for one.
   * @throws when neither can be done, or the snapshot is damaged.
   */
  async install(id: string): Promise<void> {
    const snapshot = await this.snapshots.load(id);
    if (snapshot === undefined) throw new Error("the merged configuration cannot be read any more");
    try {
      await this.#directory.write("effective.yaml", snapshot.text, { forCollector: true });
    } catch (error) {
      await this.#directory.linkOver(this.snapshots.path(id), "effective.yaml").catch(() => {
        throw error;
      });
    }
  }

  /** Installs a snapshot again if somebody has deleted or changed the Collector's files since. */
  async ensureInstalled(id: string): Promise<void> {
    const snapshot = await this.snapshots.load(id);
    if (snapshot === undefined) return;
    const installed = await this.#directory.read("effective.yaml");
    if (installed === undefined || new TextDecoder().decode(installed) !== snapshot.text)
      await this.install(id);
    await this.snapshots.ensurePems(snapshot);
  }

  saveJournal(entry: JournalEntry | undefined): Promise<void> {
    return this.#journal.save(entry ?? null);
  }

  async saveInstanceUid(instanceUid: Uint8Array): Promise<void> {
    await this.#savePersistent({ ...this.#persistent, instanceUid });
    await this.link.save({ ...this.link.value, instance_uid: formatInstanceUid(instanceUid) });
  }

  saveRemoteConfigStatus(remoteConfigStatus: RemoteConfigStatus): Promise<void> {
    return this.#savePersistent({ ...this.#persistent, remoteConfigStatus });
  }

  saveRemote(remote: AgentRemoteConfig | undefined): Promise<void> {
    if (remote === undefined) return this.#directory.remove(remoteConfigFile);
    return saveMessage(this.#directory, remoteConfigFile, AgentRemoteConfigSchema, remote);
  }

  /** undefined: none waits. */
  saveWaitingRemote(offer: AgentRemoteConfig | undefined): Promise<void> {
    if (offer === undefined) return this.#directory.remove(waitingRemoteFile);
    return saveMessage(this.#directory, waitingRemoteFile, AgentRemoteConfigSchema, offer);
  }

  savePackages(
    packagesAvailable: PackagesAvailable,
    remoteConfig: AgentRemoteConfig | undefined,
  ): Promise<void> {
    const message = create(ServerToAgentSchema, { packagesAvailable, ...(remoteConfig && { remoteConfig }) });
    return saveMessage(this.#directory, packagesFile, ServerToAgentSchema, message);
  }

  saveOwnTelemetry(offers: ConnectionSettingsOffers): Promise<void> {
    return saveMessage(this.#directory, ownTelemetryFile, ConnectionSettingsOffersSchema, offers);
  }

  close(): Promise<void> {
    this.#directory.close();
    return this.#lock.release();
  }

  async #savePersistent(state: PersistentState): Promise<void> {
    this.#persistent = state;
    await savePersistentState(this.#directory, state);
  }
}

function freeBytes(path: string): number | undefined {
  try {
    const { bavail, bsize } = statfsSync(path);
    return bavail * bsize;
  } catch {
    return undefined;
  }
}

interface Parts {
  directory: StateDirectory;
  lock: InstanceLock;
  snapshots: Snapshots;
  book: JsonRecord<BookContent>;
  running: JsonRecord<RunningRecord | null>;
  crashes: JsonRecord<RestartSnapshot>;
  link: JsonRecord<z.infer<typeof linkSchema>>;
  connection: ConnectionFiles;
  journal: JsonRecord<JournalEntry | null>;
  persistent: PersistentState;
  savedRemote: AgentRemoteConfig | undefined;
  waitingRemote: AgentRemoteConfig | undefined;
  trust: JsonRecord<TrustRecord>;
  packages: JsonRecord<PackagesRecord>;
  savedPackages: ServerToAgent | undefined;
  lastInputs: ConfigurationInputs;
}

interface OpenOptions {
  clock: Clock;
  logger: Logger;
  /** `agent.instance_id`: counts only where nothing is known yet. */
  instanceId: string | undefined;
  /** Group of the user that the Collector runs as, where that is another one. */
  collectorGid: number | undefined;
}

/**
 * Opens the state directory for this process alone and loads what is in it.
 * @throws when the directory cannot be used, or another supervisor uses it.
 */
export async function openSupervisorFiles(path: string, options: OpenOptions): Promise<SupervisorFiles> {
  const directory = await StateDirectory.open(path, options);
  const lock = await lockInstance(directory);
  try {
    return await loadFiles(directory, lock, options);
  } catch (error) {
    await lock.release();
    throw error;
  }
}

async function loadFiles(
  directory: StateDirectory,
  lock: InstanceLock,
  { clock, logger, instanceId, collectorGid }: OpenOptions,
): Promise<SupervisorFiles> {
  const [snapshotDirectory, book, running, crashes, link, journal, packages, trust] = await Promise.all([
    StateDirectory.open(directory.path("configurations"), { clock, logger }),
    JsonRecord.open<BookContent>(directory, "configuration_book.json", bookSchema, emptyBook),
    JsonRecord.open<RunningRecord | null>(directory, "collector.json", runningSchema, null),
    JsonRecord.open<RestartSnapshot>(directory, "crashes.json", crashesSchema, { exits: [], attempt: 0 }),
    JsonRecord.open(directory, "local_link.json", linkSchema, { port: 0, token: "", instance_uid: "" }),
    JsonRecord.open<JournalEntry | null>(directory, "journal.json", journalSchema, null),
    JsonRecord.open<PackagesRecord>(directory, "packages.json", packagesRecordSchema, noPackagesRecord),
    JsonRecord.open<TrustRecord>(directory, "config_trust.json", trustRecordSchema, noTrustRecord),
  ]);
  const connection = await openConnectionFiles(directory);
  const [known, savedRemote, ownTelemetry, savedPackages, waitingRemote] = await Promise.all([
    loadPersistentState(directory),
    loadMessage(directory, remoteConfigFile, AgentRemoteConfigSchema),
    loadMessage(directory, ownTelemetryFile, ConnectionSettingsOffersSchema),
    loadMessage(directory, packagesFile, ServerToAgentSchema),
    loadMessage(directory, waitingRemoteFile, AgentRemoteConfigSchema),
  ]);
  if (collectorGid !== undefined) {
    await Promise.all([directory.letIn(collectorGid), snapshotDirectory.letIn(collectorGid)]);
  }
  const persistent = known ?? {
    instanceUid:
      parseInstanceUid(link.value.instance_uid) ??
      (instanceId === undefined ? undefined : parseInstanceUid(instanceId)) ??
      newInstanceUid(clock.now()),
    remoteConfigStatus: statusOf(book.value),
  };
  // A disk that is full must not keep the Collector from running on what is there.
  const unsaved = (error: unknown) =>
    logger.error(
      { event: "state_not_saved", error: describeError(error) },
      "cannot write to the state directory: the next start may not find what this one made up",
    );
  if (known === undefined) await savePersistentState(directory, persistent).catch(unsaved);
  // The port is saved once it is bound.
  const token = link.value.token || randomBytes(24).toString("base64url");
  const instance_uid = formatInstanceUid(persistent.instanceUid);
  if (link.value.token !== token || link.value.instance_uid !== instance_uid)
    await link.save({ ...link.value, token, instance_uid }).catch(unsaved);
  await snapshotDirectory.clearUnfinished().catch(unsaved);
  const snapshots = new Snapshots(snapshotDirectory);
  const effective = await directory.read("effective.yaml");
  const { current } = book.value;
  const kept = { remote: savedRemote, ownTelemetry, localFiles: {}, packages: current?.packages ?? null };
  await healSnapshot(current, snapshots, {
    effective: effective && new TextDecoder().decode(effective),
    kept,
    logger,
  }).catch(unsaved);
  const lastInputs = await findLastInputs(book.value, snapshots, {
    // The order to run no Collector has no snapshot.
    remote: book.value.current?.id === null ? savedRemote : undefined,
    ownTelemetry,
    localFiles: {},
    packages: book.value.current?.packages ?? null,
  });
  return new SupervisorFiles({
    directory,
    lock,
    snapshots,
    book,
    running,
    crashes,
    link,
    connection,
    journal,
    persistent,
    savedRemote,
    waitingRemote,
    trust,
    packages,
    savedPackages,
    lastInputs,
  });
}

/** The verdict that the book knows of, where the status itself is lost. */
function statusOf({ current }: BookContent): RemoteConfigStatus {
  const hash = current?.role === "desired" ? current.remoteHash : null;
  if (hash === null) return create(RemoteConfigStatusSchema);
  return create(RemoteConfigStatusSchema, {
    status: RemoteConfigStatuses.RemoteConfigStatuses_APPLIED,
    lastRemoteConfigHash: new Uint8Array(Buffer.from(hash, "hex")),
  });
}
