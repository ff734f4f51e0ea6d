import { formatInstanceUid } from "../opamp/instance-uid.ts";
import { assemble } from "./assemble.ts";
import type { PackagesMessage } from "./change/packages-message.ts";
import { restore } from "./change/restoration.ts";
import { passThrough } from "./collector/agent-log-passthrough.ts";
import { canEndWithUs } from "./collector/ends-with-us.ts";
import { examineCollector, findCollectorUser } from "./collector/examine.ts";
import { findLeftCollector } from "./collector/left-collector.ts";
import { openMemoryLimit } from "./collector/memory-limit.ts";
import { localFilePaths } from "./configuration/order.ts";
import { openControl } from "./operations/control/control.ts";
import type { StatusSources } from "./operations/control/status.ts";
import { readStatus } from "./operations/control/status-reader.ts";
import type { StatusView } from "./operations/control/status-view.ts";
import { watchFiles } from "./operations/file-watch.ts";
import { serveHealth } from "./operations/health-endpoint.ts";
import { notReadyBecause } from "./operations/readiness.ts";
import { describeService } from "./operations/service-status.ts";
import type { ServiceSource } from "./operations/systemd.ts";
import { openPackages } from "./packages/open-packages.ts";
import { watchDropFolder } from "./packages/watch-drop-folder.ts";
import type { Parts, SupervisorDeps, Surroundings } from "./parts.ts";
import type { SupervisorSettings } from "./settings/supervisor-settings.ts";
import { openSupervisorFiles, type SupervisorFiles } from "./storage/supervisor-files.ts";
import { offeredDestinations } from "./telemetry/offered-destinations.ts";
import { traced } from "./telemetry/tracer.ts";
import { openTrust } from "./trust/open-trust.ts";

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
  const endsWithUs = settings.agent.onSupervisorExit === "stop" && (await canEndWithUs(logger));
  const files = await openSupervisorFiles(settings.storage.directory, {
    clock,
    logger,
    instanceId,
    collectorGid: runAs?.gid,
  });
  deps.telemetry.identify(formatInstanceUid(files.instanceUid));
  try {
    const packages = await openPackages(files.path("packages"), settings, {
      ...deps,
      inUse: (files.book.value.current?.packages ?? null) !== null,
    });
    const memory = openMemoryLimit(settings.agent.memoryLimitBytes, settings.agent.env, deps);
    const trust = await openTrust(settings.agent.trust, {
      ...deps,
      file: files.trust,
      kept: files.savedRemote,
      mayWait: files.everRan,
    });
    const parts = assemble(settings, files, { runAs, endsWithUs, packages, memory, trust }, deps);
    const supervisor = new Supervisor(settings, files, { ...parts, memory }, deps);
    await supervisor.start();
    return supervisor;
  } catch (error) {
    await files.close();
    throw error;
  }
}

/** The life of one supervisor: how its parts are started, and how they end. */
export class Supervisor {
  readonly #settings: SupervisorSettings;
  readonly #files: SupervisorFiles;
  readonly #parts: Parts & Pick<Surroundings, "memory">;
  readonly #deps: SupervisorDeps;
  readonly #closers: (() => Promise<void>)[] = [];
  #ended: Promise<void> | undefined;

  constructor(
    settings: SupervisorSettings,
    files: SupervisorFiles,
    parts: Parts & Pick<Surroundings, "memory">,
    deps: SupervisorDeps,
  ) {
    this.#settings = settings;
    this.#files = files;
    this.#parts = parts;
    this.#deps = deps;
  }

  async start(): Promise<void> {
    const { agent, healthcheck } = this.#settings;
    const { linked, log, guard, road, verdicts, observation, packageIntake, connections } = this.#parts;
    const status = this.#readStatus();
    const source = {
      supervisorWorks: () => this.#ended === undefined,
      notReady: () => notReadyBecause(this.#parts),
      status,
      metrics: () => observation.metrics,
    };
    const health = await serveHealth(healthcheck, source, this.#deps);
    if (health !== undefined) this.#closers.push(() => health.close());
    await linked.listen();
    await this.#openControl(status);
    log.start();
    if (agent.passthroughLogs) await log.follow(passThrough(this.#deps.collectorLogger));
    guard.start();
    linked.watchLiveness(agent.livenessTimeoutMs);
    road.pause();
    const { acceptsRemoteConfig } = this.#settings.capabilities;
    // Where none is accepted any more, none is applied.
    if (acceptsRemoteConfig) await verdicts.resume(this.#files.remoteConfigStatus, this.#files.waitingRemote);
    observation.start();
    await packageIntake?.restore(this.#lastPackages());
    const described = this.#examine();
    connections.start(described);
    await described;
    const { lastInputs, snapshots } = this.#files;
    const offered = offeredDestinations(lastInputs.ownTelemetry, (pem) => snapshots.pemPath(pem));
    void this.#deps.telemetry.redirect(offered);
    await this.#restore();
    this.#parts.figures.start();
    await this.#watch();
    this.#deps.logger.info(
      {
        event: "started",
        instance_uid: formatInstanceUid(this.#files.instanceUid),
        collector: agent.executable,
      },
      "the supervisor works",
    );
  }

  /** For the service manager that started this. */
  get service(): ServiceSource {
    const { linked, state } = this.#parts;
    return {
      linkPort: () => linked.port,
      status: () => describeService({ ...this.#parts, healthy: state.get("health")?.healthy ?? false }),
    };
  }

  /** Reads the local configuration files again and applies what changed. */
  reloadLocalFiles(): void {
    this.#parts.intake.changeLocal("config_files changed");
  }

  /** Stops the Collector, says good-bye to the server and lets go of the state directory. */
  stop(): Promise<void> {
    this.#ended ??= this.#end(() => this.#parts.collector.close());
    return this.#ended;
  }

  /** The same, but leaves the Collector running for the next supervisor to adopt. */
  handOver(): Promise<void> {
    this.#parts.reporter.stop();
    this.#ended ??= this.#end(() => this.#parts.collector.release());
    return this.#ended;
  }

  async #end(endCollector: () => Promise<void>): Promise<void> {
    const { guard, intake, packageIntake, road, reporter, connections, linked, log, programs } = this.#parts;
    this.#parts.collectorConnections.stop();
    this.#parts.figures.stop();
    guard.stop();
    intake.stop();
    packageIntake?.stop();
    const roadClosed = road.close();
    await endCollector();
    await roadClosed;
    reporter.shuttingDown();
    linked.stopWatching();
    await Promise.all([connections.stop(), ...this.#closers.map((close) => close())]);
    // Not before: neither a change nor the server is to take the end of a command for what its program says.
    programs.stop();
    await linked.close();
    await log.close();
    await this.#files.close();
  }

  /** Begins to report once it is known what the Collector is. */
  #examine(): Promise<void> {
    const { logger, telemetry } = this.#deps;
    const { reporter, describe } = this.#parts;
    return traced(telemetry.tracer, "GetBootstrapInfo", async (span) => {
      const program = await this.#parts.program();
      if ("missing" in program) {
        logger.warn({ event: "no_collector" }, program.missing);
        span.end(program.missing);
        reporter.start(describe(undefined));
        return;
      }
      examineCollector(program.binary, { everRan: this.#files.everRan, logger });
      if (!program.binary.identified) span.end(program.binary.reason);
      reporter.start(describe(program.binary));
    });
  }

  /** Brings back what an earlier supervisor left: the Collector, the change under way, the offer of packages. */
  async #restore(): Promise<void> {
    const { workshop, road, guard, wayBack, intake, packageIntake, verdicts, saved } = this.#parts;
    const { running, unfinished, savedRemote, waitingRemote } = this.#files;
    const { acceptsRemoteConfig } = this.#settings.capabilities;
    const found = await findLeftCollector(
      running.value ?? undefined,
      this.#files.path("effective.yaml"),
      this.#deps.clock,
      this.#parts.memory,
    );
    const goesOn = await restore({
      workshop,
      road,
      guard,
      wayBack,
      intake,
      unfinished,
      forgetUnfinished: () => saved("the journal", this.#files.saveJournal(undefined)),
      found,
      askServerAgain: (hash) => (hash === null ? Promise.resolve() : verdicts.lose(hash)),
      savedRemote: acceptsRemoteConfig ? savedRemote : undefined,
    });
    if (waitingRemote !== undefined && acceptsRemoteConfig) await intake.resumeWaiting(waitingRemote);
    await packageIntake?.resume(goesOn ? unfinished : undefined);
  }

  #lastPackages(): PackagesMessage | undefined {
    const { savedPackages, packages } = this.#files;
    return (
      savedPackages?.packagesAvailable && {
        packages: savedPackages.packagesAvailable,
        remote: savedPackages.remoteConfig,
        fromThisHost: packages.value.from_this_host,
      }
    );
  }

  /** What an administrator changes on this host: local files, and packages for a host that no server reaches. */
  async #watch(): Promise<void> {
    const { packageIntake } = this.#parts;
    const { dropFolder } = this.#settings.packages;
    if (dropFolder !== undefined && packageIntake !== undefined) {
      const offer = packageIntake.offerDropped.bind(packageIntake);
      const watcher = await watchDropFolder(dropFolder, offer, this.#deps);
      this.#closers.push(() => watcher.close());
    }
    const paths = localFilePaths(this.#settings.agent.configFiles);
    const watcher = await watchFiles(paths, this.#deps.clock, () => this.reloadLocalFiles());
    this.#closers.push(() => watcher.close());
  }

  #readStatus(): () => Promise<StatusView> {
    const { workshop, connections, ...parts } = this.#parts;
    const { status, stop } = readStatus({
      ...this.#deps,
      ...parts,
      snapshots: this.#files.snapshots,
      certificates: connections.certificates,
      credentials: connections.credentials,
      storage: () => this.#files.storage,
      program: () => this.#runningProgram(),
      mask: (text) => workshop.mask(text),
    });
    this.#closers.push(async () => stop());
    return status;
  }

  /** For an operator on this host. */
  async #openControl(status: () => Promise<StatusView>): Promise<void> {
    const { packageIntake: packages, ...parts } = this.#parts;
    const { logger } = this.#deps;
    const control = await openControl({
      ...parts,
      logger,
      status,
      directory: this.#files.path("."),
      packages,
      mask: (text) => parts.workshop.mask(text),
    });
    this.#closers.push(() => control.close());
  }

  async #runningProgram(): ReturnType<StatusSources["program"]> {
    const program = await this.#parts.program();
    if ("missing" in program) return program;
    const { source, executable: path, binary } = program;
    return { source, path, version: binary.identified ? binary.version : null };
  }
}
