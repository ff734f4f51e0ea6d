import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type Logger, silentLogger } from "../../src/foundation/logger.ts";
import { ReportedState } from "../../src/opamp/agent/reported-state.ts";
import {
  type AgentRemoteConfig,
  AgentRemoteConfigSchema,
  ConnectionSettingsOffersSchema,
  type RemoteConfigStatus,
  RemoteConfigStatuses,
  RemoteConfigStatusSchema,
  type ServerToAgent,
  ServerToAgentSchema,
} from "../../src/opamp/messages.ts";
import {
  type BookContent,
  ConfigurationBook,
  emptyBook,
} from "../../src/supervisor/change/configuration-book.ts";
import { ConfigurationIntake } from "../../src/supervisor/change/configuration-intake.ts";
import { Guard } from "../../src/supervisor/change/guard.ts";
import { Journal, type JournalEntry } from "../../src/supervisor/change/journal.ts";
import { PackageIntake } from "../../src/supervisor/change/package-intake.ts";
import type { PackagesMessage } from "../../src/supervisor/change/packages-message.ts";
import { noPackagesRecord, type PackagesRecord } from "../../src/supervisor/change/packages-record.ts";
import { restartCollector } from "../../src/supervisor/change/restart-command.ts";
import { restore } from "../../src/supervisor/change/restoration.ts";
import { Road } from "../../src/supervisor/change/road.ts";
import { chooseRollback, rollBack, rollbackReason } from "../../src/supervisor/change/rollback.ts";
import { type ConfigurationInputs, Snapshots } from "../../src/supervisor/change/snapshots.ts";
import { WayBack } from "../../src/supervisor/change/way-back.ts";
import type { Workshop } from "../../src/supervisor/change/workshop.ts";
import { Collector, type RunningRecord } from "../../src/supervisor/collector/collector.ts";
import { Liveness } from "../../src/supervisor/collector/liveness.ts";
import { RestartPolicy, type RestartSnapshot } from "../../src/supervisor/collector/restart-policy.ts";
import { ConfigurationError } from "../../src/supervisor/configuration/configuration-error.ts";
import { type PackagesView, toPackageStatuses } from "../../src/supervisor/packages/statuses.ts";
import { Reporter } from "../../src/supervisor/report/reporter.ts";
import { Verdicts } from "../../src/supervisor/report/verdicts.ts";
import type { LinkListener } from "./simulated-collectors.ts";
import { DiskOfLife } from "./simulated-disk.ts";
import { Life } from "./simulated-life.ts";
import { holdCollector } from "./simulated-process.ts";
import { SimulatedStore } from "./simulated-store.ts";
import { keptFile, keptRemote, keptTelemetryFile, lastInputsOf } from "./simulated-text.ts";
import { simulatedWorkshop } from "./simulated-workshop.ts";
import type { World } from "./world.ts";

const applyTimeoutMs = 5_000;
const livenessTimeoutMs = 30_000;
/** A ServerToAgent with the offer of packages that came last. */
const packagesFile = "last_recv_packages.dat";
/** The remote configuration that this host could not take yet. */
const waitingFile = "waiting_remote_config.dat";

/**
 * One life of a supervisor in a {@link World}: the real road, book, guard, way back, intake, Collector and
 * reporter, wired as `supervisor.ts` wires them. Only what touches files, processes and sockets is simulated.
 */
export class SimulatedSupervisor implements LinkListener {
  readonly life: Life;
  readonly collector: Collector;
  readonly book: ConfigurationBook;
  readonly road: Road;
  readonly state: ReportedState;
  readonly #world: World;
  readonly #disk: DiskOfLife;
  readonly #guard: Guard;
  readonly #intake: ConfigurationIntake;
  readonly #packageIntake: PackageIntake;
  readonly #verdicts: Verdicts;
  readonly #reporter: Reporter;
  readonly #liveness: Liveness;
  readonly #workshop: Workshop;
  readonly #wayBack: WayBack;
  /** What is reported of packages; undefined until it is. */
  packages: PackagesView | undefined;

  constructor(world: World) {
    this.#world = world;
    this.life = new Life(world.clock, () => world.supervisorEnded(this));
    const { clock } = this.life;
    const logger: Logger = world.log ?? silentLogger;
    this.#disk = new DiskOfLife(world.disk, this.life);
    const disk = this.#disk;
    this.collector = new Collector({
      clock,
      logger,
      log: { position: async () => 0, excerptSince: async () => "Error: as scripted" },
      record: (running) => disk.saveJson("collector.json", running ?? null),
      spawn: ({ args, executable }) =>
        this.life.perform(() => {
          const collector = world.host.start(args[1] ?? "", executable);
          return holdCollector(collector, { life: this.life, adopted: false });
        }),
    });
    this.book = new ConfigurationBook(world.disk.json<BookContent>("book.json", emptyBook), (content) =>
      disk.saveJson("book.json", content).then(
        () => true,
        () => false,
      ),
    );
    this.state = new ReportedState({ instanceUid: new Uint8Array(16).fill(1), capabilities: 0n });
    const snapshots = new Snapshots(disk.folder("configurations/"));
    const store = new SimulatedStore({
      disk: world.disk,
      ofLife: disk,
      life: this.life,
      online: () => world.online,
      deleted: (id) => world.deletedSet(id),
    });
    this.#verdicts = new Verdicts({
      state: this.state,
      book: this.book,
      save: (status) => this.#saveVerdict(status),
      changed: () => this.#reporter.refresh(),
    });
    this.#workshop = {
      ...simulatedWorkshop(world, { life: this.life, store, snapshots }),
      clock,
      logger,
      collector: this.collector,
      book: this.book,
      snapshots,
      applyTimeoutMs,
      mayReload: world.options.mayReload,
      hasFallback: world.options.fallback !== undefined,
      install: async ({ id, packages }) => {
        await disk.linkOver(snapshots.path(id), "effective.yaml");
        await store.use(packages);
      },
      installingPackages: (set) => this.#packageIntake.installing(set),
      keepPackages: (sets) => store.keepOnly(new Set([...sets, ...this.#packageIntake.sets])),
      saveKept: (inputs) => this.#saveKept(inputs),
      reportRemote: async ({ configHash }, verdict) => {
        if (this.life.over) return;
        if (verdict.t === "applying") world.server.reported(this, configHash, verdict);
        await this.#verdicts.report(configHash, verdict);
      },
      provesLater: (mark, keep) => this.#guard.provesLater(mark, keep),
      labelChanged: () => this.#reporter.refresh(),
      runningChanged: (because, how) => {
        this.#guard.runningChanged(because);
        this.#reporter.refresh();
        void this.#packageIntake.runningChanged(because, how);
      },
      distrust: async () => undefined,
      mask: (text) => text,
    };
    this.#reporter = new Reporter({
      state: this.state,
      collector: this.collector,
      book: this.book,
      clock,
      overrides: { identifying: {}, nonIdentifying: {} },
      ownCustomCapabilities: [],
      redactedText: async (id) => (await snapshots.load(id))?.text,
      mask: (text) => text,
      concerns: () => ({ certificates: [], credentials: [] }),
    });
    this.road = new Road({
      journal: new Journal({ save: (entry) => disk.saveJson("journal.json", entry ?? null) }),
      logger,
      isOwnFault: (error) => error instanceof ConfigurationError,
    });
    const wayBack = new WayBack(this.#workshop, world.newMark);
    this.#intake = new ConfigurationIntake(lastInputsOf(world.disk), {
      workshop: this.#workshop,
      road: this.road,
      wayBack,
      newMark: world.newMark,
      readLocalFiles: async () => ({ ...world.localFiles }),
      saveWaiting: (offer) => this.#saveWaiting(offer),
      packagesSettled: (set, failure) => this.#packageIntake.settled(set, failure),
      random: () => 0,
    });
    this.#packageIntake = new PackageIntake({
      workshop: this.#workshop,
      configuration: this.#intake,
      record: world.disk.json<PackagesRecord>("packages.json", noPackagesRecord),
      saveRecord: (record) => disk.saveJson("packages.json", record).catch(() => undefined),
      saveMessage: (message) => this.#savePackages(message),
      acquire: (offer, signal, onProgress) => store.acquire(offer, signal, onProgress),
      held: (set) => store.held(set),
      report: (view) => this.#reportPackages(view),
      random: () => 0,
    });
    const policy = new RestartPolicy({ clock, maxExits: 4, windowMs: 60_000, random: () => 0 });
    policy.restore(world.disk.json<RestartSnapshot>("crashes.json", { exits: [], attempt: 0 }));
    this.#guard = new Guard({
      workshop: this.#workshop,
      road: this.road,
      wayBack,
      policy,
      savePolicy: () => disk.saveJson("crashes.json", policy.snapshot()),
      probationMs: 30_000,
      reportedApplied: () => this.#verdicts.reportedApplied(),
      isReportedFailed: (hash) => this.#verdicts.isReportedFailed(hash),
      correctVerdict: (hash, verdict) => this.#verdicts.correct(hash, verdict),
    });
    this.#liveness = new Liveness({ collector: this.collector, clock, timeoutMs: livenessTimeoutMs });
    this.#wayBack = wayBack;
  }

  /** As `Supervisor.start` does it. */
  async start(): Promise<void> {
    const { disk, host } = this.#world;
    const unfinished = disk.json<JournalEntry | null>("journal.json", null) ?? undefined;
    this.#guard.start();
    this.#liveness.start();
    this.road.pause();
    const status = disk.files.get("persistent_state") ?? new Uint8Array();
    const kept = disk.files.get(waitingFile);
    const waiting = kept && fromBinary(AgentRemoteConfigSchema, kept);
    await this.#verdicts.resume(fromBinary(RemoteConfigStatusSchema, status), waiting);
    await this.#packageIntake.restore(this.#lastPackages());
    this.#reporter.start({ identifying: {}, nonIdentifying: {} });
    this.#world.server.connected(this);
    const record = disk.json<RunningRecord | null>("collector.json", null) ?? undefined;
    const recorded = host.alive.find(({ pid }) => pid === record?.process.pid);
    const left = recorded ?? host.alive[0];
    const goesOn = await restore({
      workshop: this.#workshop,
      road: this.road,
      guard: this.#guard,
      wayBack: this.#wayBack,
      intake: this.#intake,
      unfinished,
      forgetUnfinished: () => this.#disk.saveJson("journal.json", null).catch(() => undefined),
      found: left && {
        process: holdCollector(left, { life: this.life, adopted: true }),
        record: recorded === undefined ? undefined : record,
      },
      askServerAgain: async (hash) => hash !== null && this.#verdicts.lose(hash),
      savedRemote: keptRemote(disk.files),
    });
    if (waiting !== undefined) await this.#intake.resumeWaiting(waiting);
    await this.#packageIntake.resume(goesOn ? unfinished : undefined);
  }

  get reportedStatus(): RemoteConfigStatus {
    return this.state.get("remoteConfigStatus") ?? create(RemoteConfigStatusSchema);
  }

  /** What the server sends; taken as `Upstream` and `Supervisor` take it. */
  receive({ packagesAvailable, remoteConfig }: ServerToAgent): void {
    if (packagesAvailable !== undefined) {
      const message = { packages: packagesAvailable, remote: remoteConfig, fromThisHost: false };
      void this.#packageIntake.offer(message);
    } else if (remoteConfig !== undefined) {
      if (!this.#packageIntake.remoteOffered(remoteConfig)) void this.#intake.offerRemote(remoteConfig);
    }
  }

  offerOwnTelemetry(endpoint: string): void {
    this.#intake.offerOwnTelemetry(
      create(ConnectionSettingsOffersSchema, { ownMetrics: { destinationEndpoint: endpoint } }),
    );
  }

  localFilesChanged(): void {
    this.#intake.changeLocal("config_files changed");
  }

  restartCollector(): void {
    this.road.urgent(() => restartCollector(this.#workshop));
  }

  /** As an operator asks; resolves to why it was not done, at the latest when it has ended. */
  async rollBack(wanted?: string): Promise<string | undefined> {
    const choice = chooseRollback(this.book, wanted);
    if ("refused" in choice) return choice.refused;
    const rollback = { ...choice, reason: rollbackReason("it drops data") };
    const parts = { workshop: this.#workshop, wayBack: this.#wayBack, road: this.road };
    return (await rollBack(rollback, { ...parts, newMark: this.#world.newMark }))?.reason;
  }

  /** SIGTERM stops the Collector, SIGUSR2 leaves it to the next supervisor. */
  async leave(how: "stop" | "hand-over"): Promise<void> {
    this.#guard.stop();
    this.#intake.stop();
    this.#packageIntake.stop();
    const roadClosed = this.road.close();
    if (how === "stop") await this.collector.close();
    else await this.collector.release();
    await roadClosed;
    this.#reporter.shuttingDown();
    this.#liveness.stop();
    this.life.end();
  }

  linked(linkId: number, mark: string): void {
    if (!this.life.over) this.collector.linked(linkId, mark);
  }

  unlinked(linkId: number): void {
    if (!this.life.over) this.collector.unlinked(linkId);
  }

  reported(linkId: number, report: Parameters<LinkListener["reported"]>[1]): void {
    if (!this.life.over) this.collector.reported(linkId, report);
  }

  /** No pong came on the open link. */
  unanswered(): void {
    if (!this.life.over) this.#liveness.unanswered();
  }

  /** As `Supervisor.#saveKept` does it. */
  async #saveKept(inputs: ConfigurationInputs): Promise<void> {
    this.#intake.accept(inputs);
    const { ownTelemetry } = inputs;
    const hash = Buffer.from(inputs.remote?.configHash ?? []).toString("hex");
    const remote = this.book.quarantineOf(hash) === undefined ? inputs.remote : undefined;
    const saving =
      remote === undefined
        ? this.#disk.remove(keptFile)
        : this.#disk.writeInTheEnd(keptFile, toBinary(AgentRemoteConfigSchema, remote));
    await saving.catch(() => undefined);
    if (ownTelemetry === undefined) return;
    const data = toBinary(ConnectionSettingsOffersSchema, ownTelemetry);
    await this.#disk.writeInTheEnd(keptTelemetryFile, data).catch(() => undefined);
  }

  async #saveVerdict(status: RemoteConfigStatus): Promise<void> {
    if (this.life.over) return;
    const { lastRemoteConfigHash, errorMessage: reason } = status;
    const isFailed = status.status === RemoteConfigStatuses.RemoteConfigStatuses_FAILED;
    const verdict = isFailed ? { t: "failed" as const, reason } : { t: "applied" as const };
    this.#world.server.reported(this, lastRemoteConfigHash, verdict);
    const data = toBinary(RemoteConfigStatusSchema, status);
    await this.#disk.writeInTheEnd("persistent_state", data).catch(() => undefined);
  }

  #lastPackages(): PackagesMessage | undefined {
    const saved = this.#world.disk.files.get(packagesFile) ?? new Uint8Array();
    const { packagesAvailable: packages, remoteConfig: remote } = fromBinary(ServerToAgentSchema, saved);
    return packages && { packages, remote, fromThisHost: false };
  }

  async #saveWaiting(offer: AgentRemoteConfig | undefined): Promise<void> {
    const saving =
      offer === undefined
        ? this.#disk.remove(waitingFile)
        : this.#disk.writeInTheEnd(waitingFile, toBinary(AgentRemoteConfigSchema, offer));
    await saving.catch(() => undefined);
  }

  async #savePackages({ packages, remote }: PackagesMessage): Promise<void> {
    const message = create(ServerToAgentSchema, {
      packagesAvailable: packages,
      ...(remote && { remoteConfig: remote }),
    });
    const data = toBinary(ServerToAgentSchema, message);
    await this.#disk.writeInTheEnd(packagesFile, data).catch(() => undefined);
  }

  #reportPackages(view: PackagesView): void {
    if (this.life.over) return;
    this.packages = view;
    this.state.set("packageStatuses", toPackageStatuses(view));
    this.#world.server.packagesReported(this);
  }
}
