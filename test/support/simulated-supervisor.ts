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
} from "../../src/opamp/messages.ts";
import {
  type BookContent,
  ConfigurationBook,
  emptyBook,
} from "../../src/supervisor/change/configuration-book.ts";
import { ConfigurationIntake } from "../../src/supervisor/change/configuration-intake.ts";
import { Guard } from "../../src/supervisor/change/guard.ts";
import { Journal, type JournalEntry } from "../../src/supervisor/change/journal.ts";
import { restartCollector } from "../../src/supervisor/change/restart-command.ts";
import { restore } from "../../src/supervisor/change/restoration.ts";
import { Road } from "../../src/supervisor/change/road.ts";
import { type ConfigurationInputs, Snapshots } from "../../src/supervisor/change/snapshots.ts";
import { WayBack } from "../../src/supervisor/change/way-back.ts";
import type { LastResort, Merged, Verdict, Workshop } from "../../src/supervisor/change/workshop.ts";
import { Collector, type RunningRecord } from "../../src/supervisor/collector/collector.ts";
import type { Launch } from "../../src/supervisor/collector/launch.ts";
import { Liveness } from "../../src/supervisor/collector/liveness.ts";
import { RestartPolicy, type RestartSnapshot } from "../../src/supervisor/collector/restart-policy.ts";
import { ConfigurationError } from "../../src/supervisor/configuration/configuration-error.ts";
import { toRemoteConfigStatus } from "../../src/supervisor/report/remote-config-status.ts";
import { Reporter } from "../../src/supervisor/report/reporter.ts";
import { behaviourOf, holdCollector, type LinkListener, type SimulatedText } from "./simulated-collectors.ts";
import { DiskOfLife } from "./simulated-disk.ts";
import { Life } from "./simulated-life.ts";
import {
  keptFile,
  keptRemote,
  keptTelemetryFile,
  lastInputsOf,
  remoteBody,
  toMerged,
} from "./simulated-text.ts";
import type { World } from "./world.ts";

const applyTimeoutMs = 5_000;
const livenessTimeoutMs = 30_000;
const validateMs = 10;
const validateTimeoutMs = 10_000;

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
  readonly #reporter: Reporter;
  readonly #liveness: Liveness;
  readonly #workshop: Workshop;
  readonly #wayBack: WayBack;
  #status: RemoteConfigStatus;

  constructor(world: World) {
    this.#world = world;
    this.life = new Life(world.clock, () => world.supervisorEnded(this));
    const { clock } = this.life;
    const logger: Logger = world.log ?? silentLogger;
    this.#disk = new DiskOfLife(world.disk, this.life);
    const disk = this.#disk;
    this.#status = fromBinary(
      RemoteConfigStatusSchema,
      world.disk.files.get("persistent_state") ?? new Uint8Array(),
    );
    this.collector = new Collector({
      clock,
      logger,
      log: { position: async () => 0, excerptSince: async () => "Error: as scripted" },
      record: (running) => disk.saveJson("collector.json", running ?? null),
      spawn: ({ args }) =>
        this.life.perform(() =>
          holdCollector(world.host.start(args[1] ?? ""), { life: this.life, adopted: false }),
        ),
    });
    this.book = new ConfigurationBook(world.disk.json<BookContent>("book.json", emptyBook), (content) =>
      disk.saveJson("book.json", content).then(
        () => true,
        () => false,
      ),
    );
    this.state = new ReportedState({ instanceUid: new Uint8Array(16).fill(1), capabilities: 0n });
    const snapshots = new Snapshots(disk.folder("configurations/"));
    this.#workshop = {
      clock,
      logger,
      collector: this.collector,
      book: this.book,
      snapshots,
      applyTimeoutMs,
      mayReload: world.options.mayReload,
      merge: (inputs, mark) => this.#merge(inputs, mark),
      lastResorts: async (mark) => this.#lastResorts(mark),
      missingProgram: async () => undefined,
      checkProgram: async () => undefined,
      programVersion: async () => undefined,
      installingPackages: () => undefined,
      keepPackages: async () => undefined,
      validate: ({ id }) => this.#validate(id),
      install: ({ id }) => disk.linkOver(snapshots.path(id), "effective.yaml"),
      launch: async ({ id }, configPath = "effective.yaml"): Promise<Launch> => ({
        mark: id,
        executable: "otelcol",
        fileIdentity: "",
        args: ["--config", configPath],
        env: {},
      }),
      saveKept: (inputs) => this.#saveKept(inputs),
      reportRemote: (config, verdict) => this.#report(config.configHash, verdict),
      provesLater: (mark, keep) => this.#guard.provesLater(mark, keep),
      labelChanged: () => this.#reporter.refresh(),
      runningChanged: (because) => {
        this.#guard.runningChanged(because);
        this.#reporter.refresh();
      },
      mask: (text) => text,
    };
    this.#reporter = new Reporter({
      state: this.state,
      collector: this.collector,
      book: this.book,
      clock,
      overrides: { identifying: {}, nonIdentifying: {} },
      redactedText: async (id) => (await snapshots.load(id))?.text,
      mask: (text) => text,
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
      reportedApplied: () => {
        const isApplied = this.#status.status === RemoteConfigStatuses.RemoteConfigStatuses_APPLIED;
        return isApplied ? Buffer.from(this.#status.lastRemoteConfigHash).toString("hex") : undefined;
      },
      isReportedFailed: (hash) =>
        this.#isReported(hash) && this.#status.status === RemoteConfigStatuses.RemoteConfigStatuses_FAILED,
      correctVerdict: async (hash, verdict) => {
        if (this.#isReported(hash)) await this.#report(new Uint8Array(Buffer.from(hash, "hex")), verdict);
      },
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
    this.state.set("remoteConfigStatus", this.#status);
    this.road.pause();
    await this.#settleStatus();
    this.#reporter.start({ identifying: {}, nonIdentifying: {} });
    this.#world.connected(this);
    const record = disk.json<RunningRecord | null>("collector.json", null) ?? undefined;
    const recorded = host.alive.find(({ pid }) => pid === record?.process.pid);
    const left = recorded ?? host.alive[0];
    await restore({
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
      savedRemote: keptRemote(disk.files),
    });
  }

  get reportedStatus(): RemoteConfigStatus {
    return this.#status;
  }

  /** What the server sends. */
  offer(config: AgentRemoteConfig): void {
    void this.#intake.offerRemote(config);
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

  /** SIGTERM stops the Collector, SIGUSR2 leaves it to the next supervisor. */
  async leave(how: "stop" | "hand-over"): Promise<void> {
    this.#guard.stop();
    this.#intake.stop();
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

  async #merge(inputs: ConfigurationInputs, mark: string): Promise<Merged> {
    const remote = remoteBody(inputs.remote);
    const parts: Omit<SimulatedText, "mark"> = {
      remote: remote ?? null,
      local: inputs.localFiles,
      ownTelemetry: inputs.ownTelemetry?.ownMetrics?.destinationEndpoint ?? null,
    };
    if (remote === "malformed") throw new ConfigurationError("not YAML", { entry: "", line: 1 });
    this.#world.merged(mark, inputs.remote);
    return toMerged(mark, parts);
  }

  #lastResorts(mark: string): LastResort[] {
    const { fallback } = this.#world.options;
    const empty = { remote: null, local: {}, ownTelemetry: null };
    const bootstrap: LastResort = { role: "bootstrap", name: "(empty)", merged: toMerged(mark, empty) };
    if (fallback === undefined) return [bootstrap];
    const merged = toMerged(mark, { ...empty, local: { "fallback.yaml": fallback } });
    return [{ role: "fallback", name: "fallback.yaml", merged }, bootstrap];
  }

  async #validate(id: string): ReturnType<Workshop["validate"]> {
    if (this.#world.validateHangs) {
      await this.life.sleep(validateTimeoutMs);
      return { verdict: "undecided", reason: "the check took longer than 10 s" };
    }
    const data = this.#world.disk.files.get(`configurations/${id}.yaml`);
    const behaviour = behaviourOf(JSON.parse(new TextDecoder().decode(data)) as SimulatedText);
    await this.life.sleep(validateMs);
    return behaviour === "refused"
      ? { verdict: "invalid", reason: "unknown component" }
      : { verdict: "valid" };
  }

  /** As `Supervisor.#saveKept` does it. */
  async #saveKept(inputs: ConfigurationInputs): Promise<void> {
    this.#intake.accept(inputs);
    const { remote, ownTelemetry } = inputs;
    const saving =
      remote === undefined
        ? this.#disk.remove(keptFile)
        : this.#disk.writeInTheEnd(keptFile, toBinary(AgentRemoteConfigSchema, remote));
    await saving.catch(() => undefined);
    if (ownTelemetry === undefined) return;
    const data = toBinary(ConnectionSettingsOffersSchema, ownTelemetry);
    await this.#disk.writeInTheEnd(keptTelemetryFile, data).catch(() => undefined);
  }

  /** As `Supervisor.#reportRemote` does it. */
  async #report(configHash: Uint8Array, verdict: Verdict): Promise<void> {
    if (this.life.over) return;
    const status = toRemoteConfigStatus({ configHash }, verdict);
    this.#status = status;
    this.state.set("remoteConfigStatus", status);
    this.#world.reported(this, configHash, verdict);
    if (verdict.t === "applying") return;
    const data = toBinary(RemoteConfigStatusSchema, status);
    await this.#disk.writeInTheEnd("persistent_state", data).catch(() => undefined);
    this.#reporter.refresh();
  }

  /** As `Supervisor.#settleStatus` does it. */
  async #settleStatus(): Promise<void> {
    const { status, lastRemoteConfigHash } = this.#status;
    const { RemoteConfigStatuses_APPLYING: applying, RemoteConfigStatuses_FAILED: failed } =
      RemoteConfigStatuses;
    const hash = Buffer.from(lastRemoteConfigHash).toString("hex");
    const refused = this.book.quarantineOf(hash);
    const { current } = this.book;
    if (refused !== undefined && status !== failed) {
      await this.#report(lastRemoteConfigHash, { t: "failed", reason: refused.reason });
    } else if (status === applying && current?.remoteHash === hash && current.role === "desired") {
      await this.#report(lastRemoteConfigHash, { t: "applied" });
    } else if (status === applying) {
      const reason = "the supervisor ended while this configuration was being applied";
      await this.#report(lastRemoteConfigHash, { t: "failed", reason });
    } else if (status === failed && refused === undefined && current?.remoteHash !== hash) {
      this.#status = create(RemoteConfigStatusSchema);
      this.state.set("remoteConfigStatus", this.#status);
    }
  }

  #isReported(hash: string): boolean {
    return Buffer.from(this.#status.lastRemoteConfigHash).toString("hex") === hash;
  }
}
