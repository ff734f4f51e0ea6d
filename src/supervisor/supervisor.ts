import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { create } from "@bufbuild/protobuf";
import type { Clock } from "../foundation/clock.ts";
import { describeError, errorCode } from "../foundation/errors.ts";
import type { Logger } from "../foundation/logger.ts";
import { ReportedState } from "../opamp/agent/reported-state.ts";
import { formatInstanceUid } from "../opamp/instance-uid.ts";
import { RemoteConfigStatuses, RemoteConfigStatusSchema } from "../opamp/messages.ts";
import { ConfigurationBook } from "./change/configuration-book.ts";
import { ConfigurationIntake } from "./change/configuration-intake.ts";
import { Guard } from "./change/guard.ts";
import { Journal } from "./change/journal.ts";
import { collectorEnvironment, makeWorkshop } from "./change/make-workshop.ts";
import { restore } from "./change/restoration.ts";
import { Road } from "./change/road.ts";
import type { ConfigurationInputs } from "./change/snapshots.ts";
import { WayBack } from "./change/way-back.ts";
import type { RemoteVerdict, Workshop } from "./change/workshop.ts";
import { AgentLog } from "./collector/agent-log.ts";
import { passThrough } from "./collector/agent-log-passthrough.ts";
import { type CollectorBinary, identifyBinary } from "./collector/binary.ts";
import { Collector, type Launch } from "./collector/collector.ts";
import { findLeftCollector } from "./collector/left-collector.ts";
import { Liveness } from "./collector/liveness.ts";
import { LocalLink } from "./collector/local-link.ts";
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
import { toRemoteConfigStatus } from "./report/remote-config-status.ts";
import { Reporter } from "./report/reporter.ts";
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
  const runAs = await collectorUser(settings);
  const files = await openSupervisorFiles(settings.storage.directory, {
    clock,
    logger,
    instanceId,
    collectorGid: runAs?.gid,
  });
  try {
    const binary = await identify(settings, files, runAs, deps);
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
  readonly #workshop: Workshop;
  readonly #road: Road;
  readonly #wayBack: WayBack;
  readonly #intake: ConfigurationIntake;
  readonly #guard: Guard;
  readonly #upstream: Upstream;
  readonly #policy: RestartPolicy;
  readonly #closers: (() => Promise<void>)[] = [];
  #link: LocalLink;
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
    this.#link = this.#makeLink(this.#linkPort);
    this.#book = new ConfigurationBook(files.book.value, (content) =>
      this.#saved("configuration_book.json", files.book.save(content)),
    );
    this.#state = new ReportedState({
      instanceUid: files.instanceUid,
      capabilities: agentCapabilities(settings),
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
      reportRemote: (config, verdict) => this.#reportRemote(config.configHash, verdict),
      provesLater: (mark, keep) => this.#guard.provesLater(mark, keep),
      labelChanged: () => this.#reporter.refresh(),
      runningChanged: () => {
        this.#guard.runningChanged();
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
      isReportedFailed: (hash) =>
        this.#isReported(hash) &&
        this.#state.get("remoteConfigStatus")?.status === RemoteConfigStatuses.RemoteConfigStatuses_FAILED,
      correctVerdict: async (hash, verdict) => {
        if (this.#isReported(hash))
          await this.#reportRemote(new Uint8Array(Buffer.from(hash, "hex")), verdict);
      },
    });
    this.#upstream = new Upstream(
      sessionSettings(settings),
      {
        remoteConfig: (config) => void this.#intake.offerRemote(config),
        ownTelemetry: (offers) => this.#intake.offerOwnTelemetry(offers),
        restart: () => this.#restartCollector(),
        customMessage: (message) => this.#link.sendCustomMessage(message),
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
    this.#state.set("remoteConfigStatus", this.#files.remoteConfigStatus);
    this.#road.pause();
    await this.#settleStatus();
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
    await this.#link.close();
    await this.#log.close();
    await this.#files.close();
  }

  async #spawn({ executable, args, env }: Launch) {
    const { clock, logger } = this.#deps;
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

  /** The port of the last time, so that a running Collector finds its way back; another one if it is taken. */
  async #listen(): Promise<void> {
    const { agent } = this.#settings;
    try {
      this.#linkPort = await this.#link.listen();
    } catch (error) {
      const cause = error instanceof Error ? error.cause : undefined;
      if (agent.opampServerPort !== 0 || errorCode(cause) !== "EADDRINUSE") throw error;
      this.#link = this.#makeLink(0);
      this.#linkPort = await this.#link.listen();
    }
    const { token, port } = this.#files.link.value;
    if (port !== this.#linkPort) {
      await this.#saved("the port of the local link", this.#files.link.save({ token, port: this.#linkPort }));
    }
  }

  #watchLiveness(): void {
    const { livenessTimeoutMs: timeoutMs } = this.#settings.agent;
    const liveness = new Liveness({ collector: this.#collector, clock: this.#deps.clock, timeoutMs });
    liveness.start();
    const stopPinging = this.#link.watchLiveness(
      { intervalMs: timeoutMs / 2, timeoutMs: timeoutMs / 2 },
      () => liveness.unanswered(),
    );
    this.#closers.push(async () => {
      liveness.stop();
      stopPinging();
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

  /** A verdict that its supervisor did not live to tell, or that the reference left open, is told now. */
  async #settleStatus(): Promise<void> {
    const { status, lastRemoteConfigHash } = this.#files.remoteConfigStatus;
    const { RemoteConfigStatuses_APPLYING: applying, RemoteConfigStatuses_FAILED: failed } =
      RemoteConfigStatuses;
    const hash = Buffer.from(lastRemoteConfigHash).toString("hex");
    const refused = this.#book.quarantineOf(hash);
    const { current } = this.#book;
    if (refused !== undefined && status !== failed) {
      await this.#reportRemote(lastRemoteConfigHash, { t: "failed", reason: refused.reason });
    } else if (status === applying && current?.remoteHash === hash && current.role === "desired") {
      await this.#reportRemote(lastRemoteConfigHash, { t: "applied" });
    } else if (status === applying) {
      const reason = "the supervisor ended while this configuration was being applied";
      await this.#reportRemote(lastRemoteConfigHash, { t: "failed", reason });
    } else if (status === failed && refused === undefined && current?.remoteHash !== hash) {
      // It failed for want of something on this host; a server that sees no verdict on it offers it again.
      this.#state.set("remoteConfigStatus", create(RemoteConfigStatusSchema));
    }
  }

  /** What counts in this process counts even when the disk cannot be written. */
  async #saved(what: string, saving: Promise<void>): Promise<void> {
    await saving.catch((error: unknown) => {
      const fields = { event: "state_not_saved", what, error: describeError(error) };
      this.#deps.logger.error(fields, `cannot write down ${what}`);
    });
  }

  async #reportRemote(configHash: Uint8Array, verdict: RemoteVerdict): Promise<void> {
    const status = toRemoteConfigStatus({ configHash }, verdict);
    this.#state.set("remoteConfigStatus", status);
    // While it is under way the journal knows; only verdicts have to outlive this process.
    if (verdict.t === "applying") return;
    await this.#files.saveRemoteConfigStatus(status).catch((error: unknown) => {
      const fields = { event: "state_not_saved", error: describeError(error) };
      this.#deps.logger.error(fields, "cannot write down the status of the remote configuration");
    });
    this.#reporter.refresh();
  }

  /** Whether the status that the server sees is of this configuration. */
  #isReported(hash: string): boolean {
    const { lastRemoteConfigHash } = this.#state.get("remoteConfigStatus") ?? {};
    return lastRemoteConfigHash !== undefined && Buffer.from(lastRemoteConfigHash).toString("hex") === hash;
  }

  #restartCollector(): void {
    const { logger, clock } = this.#deps;
    this.#road.urgent(async () => {
      const { current } = this.#book;
      if (current === null || current.id === null) {
        logger.warn(
          { event: "restart_ignored" },
          "told to restart the Collector, but its configuration is to run none",
        );
        return;
      }
      const began = clock.monotonic();
      const launch = this.#workshop.launch(current.id);
      try {
        // What lies there may be a slow starter that was given up waiting for.
        await this.#saved("effective.yaml", this.#files.install(current.id));
        await this.#collector.run(launch, false);
      } catch (error) {
        logger.error(
          { event: "restart_failed", error: describeError(error) },
          "the Collector cannot be started",
        );
        this.#collector.relaunchAfter(launch, 1_000, describeError(error));
        return;
      }
      const duration_ms = Math.round(clock.monotonic() - began);
      logger.info(
        { event: "collector_restarted", reason: "command of the server", duration_ms },
        "the Collector was restarted",
      );
    });
  }

  async #adoptInstanceUid(uid: Uint8Array): Promise<void> {
    await this.#saved("the instance UID", this.#files.saveInstanceUid(uid));
    this.#reporter.identified(this.#describeSelf());
    this.#intake.changeLocal("new instance UID");
  }
}

/** @throws when `agent.run_as` is set and cannot work; the message says what is missing. */
async function collectorUser({ agent }: SupervisorSettings): Promise<RunAs | undefined> {
  if (agent.runAs === undefined) return undefined;
  const { checkRunAs } = await import("./collector/run-as.ts");
  const check = await checkRunAs(agent.runAs);
  if (!check.ok) throw new Error(check.message);
  return check.runAs;
}

async function identify(
  settings: SupervisorSettings,
  files: SupervisorFiles,
  runAs: RunAs | undefined,
  { clock, logger }: SupervisorDeps,
): Promise<CollectorBinary> {
  const binary = await identifyBinary({
    executable: settings.agent.executable,
    env: collectorEnvironment(settings),
    timeoutMs: settings.agent.bootstrapTimeoutMs,
    cachePath: files.path("binary.json"),
    runAs,
    clock,
  });
  if (binary.identified) return binary;
  const { problem, reason } = binary;
  // A Collector that is only slow, or one that has run before, is run whatever it says of itself.
  const everRan = files.book.value.current !== null || files.savedRemote !== undefined;
  if (problem !== "unresponsive" && !everRan) throw new Error(reason);
  logger.error(
    { event: "collector_not_identified", problem, reason },
    "the Collector binary cannot be identified",
  );
  return binary;
}
