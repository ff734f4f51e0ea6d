import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { Clock } from "../foundation/clock.ts";
import { describeError } from "../foundation/errors.ts";
import type { Logger } from "../foundation/logger.ts";
import { ReportedState } from "../opamp/agent/reported-state.ts";
import { formatInstanceUid } from "../opamp/instance-uid.ts";
import { ConfigurationBook } from "./change/configuration-book.ts";
import { ConfigurationIntake } from "./change/configuration-intake.ts";
import { Guard } from "./change/guard.ts";
import { Journal } from "./change/journal.ts";
import { collectorEnvironment, makeWorkshop } from "./change/make-workshop.ts";
import { restartCollector } from "./change/restart-command.ts";
import { restore } from "./change/restoration.ts";
import { Road } from "./change/road.ts";
import type { ConfigurationInputs } from "./change/snapshots.ts";
import { WayBack } from "./change/way-back.ts";
import type { Workshop } from "./change/workshop.ts";
import { AgentLog } from "./collector/agent-log.ts";
import { passThrough } from "./collector/agent-log-passthrough.ts";
import type { CollectorBinary } from "./collector/binary.ts";
import { Collector, type Launch } from "./collector/collector.ts";
import { examineCollector, findCollectorUser } from "./collector/examine.ts";
import { findLeftCollector } from "./collector/left-collector.ts";
import { Liveness } from "./collector/liveness.ts";
import { LocalLink } from "./collector/local-link.ts";
import { openLocalLink } from "./collector/open-local-link.ts";
import { spawnCollector } from "./collector/process.ts";
import { RestartPolicy } from "./collector/restart-policy.ts";
import type { RunAs } from "./collector/run-as.ts";
import { readLocalFiles } from "./configuration/compose.ts";
import { ConfigurationError } from "./configuration/configuration-error.ts";
import { localFilePaths } from "./configuration/order.ts";
import { redact } from "./configuration/redact.ts";
import { readYaml } from "./configuration/yaml-reader.ts";
import { writeYaml } from "./configuration/yaml-writer.ts";
import { sessionSettings } from "./connection/session-settings.ts";
import { Upstream } from "./connection/upstream.ts";
import { watchFiles } from "./operations/file-watch.ts";
import { serveHealth } from "./operations/health-endpoint.ts";
import { type Attributes, describeAgent } from "./report/agent-description.ts";
import { agentCapabilities } from "./report/capabilities.ts";
import { Reporter } from "./report/reporter.ts";
import { Verdicts } from "./report/verdicts.ts";
import type { SupervisorSettings } from "./settings/supervisor-settings.ts";
import { openSupervisorFiles, type SupervisorFiles } from "./storage/supervisor-files.ts";

export interface SupervisorDeps {
  clock: Clock;
  logger: Logger;
  /** Takes the Collector's own lines, with `agent.passthrough_logs`. */
  collectorLogger: Logger;
  /** Values of the settings that must not appear anywhere. */
  secrets: ReadonlySet<string>;
}

const newMark = () => randomBytes(8).toString("hex");

/**
 * Starts a supervisor and resolves when it works: state loaded, server being dialled, Collector adopted or
 * being started. Neither the server nor the Collector can keep it from starting.
 * @throws when the state directory, the local port or the health endpoint cannot be had, or when
 * `agent.executable` is no Collector and nothing was ever kept that it could run.
 */
export async function startSupervisor(
  settings: SupervisorSettings,
  deps: SupervisorDeps,
): Promise<Supervisor> {
  const { clock, logger } = deps;
  const { instanceId } = settings.agent;
  const runAs = await findCollectorUser(settings.agent.runAs);
  const files = await openSupervisorFiles(settings.storage.directory, {
    clock,
    logger,
    instanceId,
    collectorGid: runAs?.gid,
  });
  try {
    const binary = await examineCollector({
      executable: settings.agent.executable,
      env: collectorEnvironment(settings),
      timeoutMs: settings.agent.bootstrapTimeoutMs,
      cachePath: files.path("binary.json"),
      runAs,
      everRan: files.book.value.current !== null || files.savedRemote !== undefined,
      clock,
      logger,
    });
    const supervisor = new Supervisor(settings, files, { binary, runAs }, deps);
    await supervisor.start();
    return supervisor;
  } catch (error) {
    await files.close();
    throw error;
  }
}

/** Everything of one running supervisor, wired together. */
export class Supervisor {
  readonly #settings: SupervisorSettings;
  readonly #files: SupervisorFiles;
  readonly #binary: CollectorBinary;
  readonly #runAs: RunAs | undefined;
  readonly #deps: SupervisorDeps;
  readonly #log: AgentLog;
  readonly #collector: Collector;
  readonly #book: ConfigurationBook;
  readonly #state: ReportedState;
  readonly #reporter: Reporter;
  readonly #verdicts: Verdicts;
  readonly #workshop: Workshop;
  readonly #road: Road;
  readonly #wayBack: WayBack;
  readonly #intake: ConfigurationIntake;
  readonly #guard: Guard;
  readonly #upstream: Upstream;
  readonly #policy: RestartPolicy;
  readonly #closers: (() => Promise<void>)[] = [];
  /** Undefined until {@link start}. */
  #link: LocalLink | undefined;
  #linkPort: number;
  #ended: Promise<void> | undefined;

  constructor(
    settings: SupervisorSettings,
    files: SupervisorFiles,
    { binary, runAs }: { binary: CollectorBinary; runAs: RunAs | undefined },
    deps: SupervisorDeps,
  ) {
    const { clock, logger } = deps;
    const { agent } = settings;
    this.#settings = settings;
    this.#files = files;
    this.#binary = binary;
    this.#runAs = runAs;
    this.#deps = deps;
    this.#log = new AgentLog({ path: files.path("agent.log"), logger, clock, ...agent.log });
    this.#collector = new Collector({
      clock,
      logger,
      log: this.#log,
      record: (running) => files.running.save(running ?? null),
      spawn: (launch) => this.#spawn(launch),
    });
    this.#linkPort = agent.opampServerPort || files.link.value.port;
    this.#book = new ConfigurationBook(files.book.value, (content) =>
      this.#saved("configuration_book.json", files.book.save(content)),
    );
    this.#state = new ReportedState({
      instanceUid: files.instanceUid,
      capabilities: agentCapabilities(settings),
    });
    this.#verdicts = new Verdicts({
      state: this.#state,
      book: this.#book,
      save: (status) =>
        this.#saved("the status of the remote configuration", files.saveRemoteConfigStatus(status)),
      changed: () => this.#reporter.refresh(),
    });
    this.#workshop = makeWorkshop({
      ...deps,
      settings,
      binary,
      runAs,
      collector: this.#collector,
      book: this.#book,
      snapshots: files.snapshots,
      configPath: files.path("effective.yaml"),
      extension: () => ({
        instanceUid: formatInstanceUid(files.instanceUid),
        port: this.#linkPort,
        token: files.link.value.token,
        reportsAvailableComponents: settings.capabilities.reportsAvailableComponents,
        ...(agent.onSupervisorExit === "stop" && {
          parent: { pid: process.pid, pollIntervalMs: agent.orphanDetectionIntervalMs },
        }),
      }),
      attributes: () => {
        const { identifying, nonIdentifying } = this.#describeSelf();
        return { ...identifying, ...nonIdentifying };
      },
      install: (id) => files.install(id),
      saveKept: (inputs) => this.#saveKept(inputs),
      reportRemote: (config, verdict) => this.#verdicts.report(config.configHash, verdict),
      provesLater: (mark, keep) => this.#guard.provesLater(mark, keep),
      labelChanged: () => this.#reporter.refresh(),
      runningChanged: (because) => {
        this.#guard.runningChanged(because);
        this.#reporter.refresh();
      },
    });
    this.#reporter = new Reporter({
      state: this.#state,
      collector: this.#collector,
      book: this.#book,
      clock,
      own: this.#describeSelf(),
      overrides: agent.description,
      redactedText: async (id) => {
        const snapshot = await files.snapshots.load(id).catch(() => undefined);
        return snapshot && writeYaml(redact(readYaml(snapshot.text)));
      },
      mask: (text) => this.#workshop.mask(text),
    });
    this.#road = new Road({
      journal: new Journal({ save: (entry) => files.saveJournal(entry) }),
      logger,
      isOwnFault: (error) => error instanceof ConfigurationError,
    });
    this.#wayBack = new WayBack(this.#workshop, newMark);
    this.#intake = new ConfigurationIntake(files.lastInputs, {
      workshop: this.#workshop,
      road: this.#road,
      wayBack: this.#wayBack,
      newMark,
      readLocalFiles: () => this.#readLocalFiles(),
    });
    this.#policy = new RestartPolicy({ clock, ...agent.crashLoop });
    this.#policy.restore(files.crashes.value);
    this.#guard = new Guard({
      workshop: this.#workshop,
      road: this.#road,
      wayBack: this.#wayBack,
      policy: this.#policy,
      savePolicy: () => files.crashes.save(this.#policy.snapshot()),
      probationMs: agent.probationMs,
      reportedApplied: () => this.#verdicts.reportedApplied(),
      isReportedFailed: (hash) => this.#verdicts.isReportedFailed(hash),
      correctVerdict: (hash, verdict) => this.#verdicts.correct(hash, verdict),
    });
    this.#upstream = new Upstream(
      sessionSettings(settings),
      {
        remoteConfig: (config) => void this.#intake.offerRemote(config),
        ownTelemetry: (offers) => this.#intake.offerOwnTelemetry(offers),
        restart: () => this.#road.urgent(() => restartCollector(this.#workshop)),
        customMessage: (message) => this.#link?.sendCustomMessage(message),
        instanceUid: (uid) => void this.#adoptInstanceUid(uid),
      },
      { ...deps, state: this.#state },
    );
  }

  async start(): Promise<void> {
    const { clock, logger, collectorLogger } = this.#deps;
    const { agent, healthcheck } = this.#settings;
    const { unfinished } = this.#files;
    const health = await serveHealth(healthcheck, { supervisorWorks: () => this.#ended === undefined });
    if (health !== undefined) this.#closers.push(() => health.close());
    await this.#listen();
    this.#log.start();
    if (agent.passthroughLogs) await this.#log.follow(passThrough(collectorLogger));
    this.#guard.start();
    this.#watchLiveness();
    this.#road.pause();
    await this.#verdicts.resume(this.#files.remoteConfigStatus);
    this.#reporter.start();
    this.#upstream.start();
    const found = await findLeftCollector(
      this.#files.running.value ?? undefined,
      this.#files.path("effective.yaml"),
      clock,
    );
    await restore({
      workshop: this.#workshop,
      road: this.#road,
      guard: this.#guard,
      wayBack: this.#wayBack,
      intake: this.#intake,
      unfinished,
      forgetUnfinished: () => this.#saved("the journal", this.#files.saveJournal(undefined)),
      found,
      savedRemote: this.#settings.capabilities.acceptsRemoteConfig ? this.#files.savedRemote : undefined,
    });
    const watcher = await watchFiles(localFilePaths(agent.configFiles), clock, () => this.reloadLocalFiles());
    this.#closers.push(() => watcher.close());
    logger.info(
      {
        event: "started",
        instance_uid: formatInstanceUid(this.#files.instanceUid),
        collector: agent.executable,
      },
      "the supervisor works",
    );
  }

  /** Reads the local configuration files again and applies what changed. */
  reloadLocalFiles(): void {
    this.#intake.changeLocal("config_files changed");
  }

  /** Stops the Collector, says good-bye to the server and lets go of the state directory. */
  stop(): Promise<void> {
    this.#ended ??= this.#end(() => this.#collector.close());
    return this.#ended;
  }

  /** The same, but leaves the Collector running for the next supervisor to adopt. */
  handOver(): Promise<void> {
    this.#reporter.stop();
    this.#ended ??= this.#end(() => this.#collector.release());
    return this.#ended;
  }

  async #end(endCollector: () => Promise<void>): Promise<void> {
    this.#guard.stop();
    this.#intake.stop();
    const roadClosed = this.#road.close();
    await endCollector();
    await roadClosed;
    this.#reporter.shuttingDown();
    await Promise.all([this.#upstream.stop(), ...this.#closers.map((close) => close())]);
    await this.#link?.close();
    await this.#log.close();
    await this.#files.close();
  }

  async #spawn({ mark, executable, args, env }: Launch) {
    const { clock, logger } = this.#deps;
    if (args.includes(this.#files.path("effective.yaml"))) {
      await this.#files.ensureInstalled(mark).catch((error: unknown) => {
        const fields = { event: "state_not_saved", error: describeError(error) };
        logger.error(fields, "the Collector's configuration cannot be put back in place");
      });
    }
    // A disk that cannot be written must not keep the Collector from running.
    const logFd = await this.#log.openForAppend().catch((error: unknown) => {
      logger.error(
        { event: "agent_log_unusable", error: describeError(error) },
        "the Collector runs without a log",
      );
      return "ignore" as const;
    });
    try {
      return await spawnCollector({ executable, args, env, logFd, runAs: this.#runAs, clock });
    } finally {
      if (logFd !== "ignore") await this.#log.release(logFd);
    }
  }

  #makeLink(port: number): LocalLink {
    const { clock, logger } = this.#deps;
    return new LocalLink(
      { port, token: this.#files.link.value.token, clock, logger },
      {
        onLink: ({ id, mark }) => this.#collector.linked(id, mark),
        onUnlink: ({ id }) => this.#collector.unlinked(id),
        onReport: ({ id }, changed) => {
          if (changed.description) this.#reporter.described(changed.description);
          if (changed.availableComponents) this.#reporter.components(changed.availableComponents);
          if (changed.customCapabilities) this.#reporter.customCapabilities(changed.customCapabilities);
          this.#collector.reported(id, changed);
        },
        onCustomMessage: (_link, message) => this.#upstream.sendCustomMessage(message),
      },
    );
  }

  async #listen(): Promise<void> {
    const isFixed = this.#settings.agent.opampServerPort !== 0;
    const opened = await openLocalLink((port) => this.#makeLink(port), { port: this.#linkPort, isFixed });
    this.#link = opened.link;
    this.#linkPort = opened.port;
    const { token, port } = this.#files.link.value;
    if (port === opened.port) return;
    await this.#saved("the port of the local link", this.#files.link.save({ token, port: opened.port }));
  }

  #watchLiveness(): void {
    const { livenessTimeoutMs: timeoutMs } = this.#settings.agent;
    const liveness = new Liveness({ collector: this.#collector, clock: this.#deps.clock, timeoutMs });
    liveness.start();
    const stopPinging = this.#link?.watchLiveness(
      { intervalMs: timeoutMs / 2, timeoutMs: timeoutMs / 2 },
      () => liveness.unanswered(),
    );
    this.#closers.push(async () => {
      liveness.stop();
      stopPinging?.();
    });
  }

  #describeSelf(): Attributes {
    const binary = this.#binary;
    return describeAgent({
      instanceId: formatInstanceUid(this.#files.instanceUid),
      serviceName: binary.identified ? binary.command : "otelcol",
      serviceVersion: binary.identified ? binary.version : "",
      overrides: this.#settings.agent.description,
    });
  }

  async #readLocalFiles(): Promise<Readonly<Record<string, string>>> {
    const texts = await readLocalFiles(this.#settings.agent.configFiles, (path) => readFile(path, "utf8"));
    const readable: Record<string, string> = {};
    for (const [file, text] of Object.entries(texts)) {
      if (typeof text === "string") readable[file] = text;
      else {
        const fields = { event: "config_file_skipped", file, problem: describeError(text) };
        this.#deps.logger.warn(fields, `local file ${file} cannot be read and is left out`);
      }
    }
    return readable;
  }

  async #saveKept(inputs: ConfigurationInputs): Promise<void> {
    this.#intake.accept(inputs);
    // Going back to the reference must never run one that failed.
    if (this.#settings.capabilities.acceptsRemoteConfig) {
      await this.#saved("the remote configuration", this.#files.saveRemote(inputs.remote));
    }
    if (inputs.ownTelemetry !== undefined) {
      await this.#saved("the own telemetry settings", this.#files.saveOwnTelemetry(inputs.ownTelemetry));
    }
  }

  /** What counts in this process counts even when the disk cannot be written. */
  async #saved(what: string, saving: Promise<void>): Promise<boolean> {
    try {
      await saving;
      return true;
    } catch (error) {
      const fields = { event: "state_not_saved", what, error: describeError(error) };
      this.#deps.logger.error(fields, `cannot write down ${what}`);
      return false;
    }
  }

  async #adoptInstanceUid(uid: Uint8Array): Promise<void> {
    await this.#saved("the instance UID", this.#files.saveInstanceUid(uid));
    this.#reporter.identified(this.#describeSelf());
    this.#intake.changeLocal("new instance UID");
  }
}
