import { randomBytes } from "node:crypto";
import { readYaml } from "../foundation/collector-yaml/yaml-reader.ts";
import { writeYaml } from "../foundation/collector-yaml/yaml-writer.ts";
import { describeError } from "../foundation/errors.ts";
import { toHex } from "../foundation/hex.ts";
import { ReportedState } from "../opamp/agent/reported-state.ts";
import { figuresCapability } from "../opamp/figures.ts";
import { formatInstanceUid } from "../opamp/instance-uid.ts";
import { CollectorConnections } from "./change/collector-connections.ts";
import { ConfigurationBook } from "./change/configuration-book.ts";
import { ConfigurationIntake } from "./change/configuration-intake.ts";
import { Connections } from "./change/connections.ts";
import { distrustBy } from "./change/distrust.ts";
import { Guard } from "./change/guard.ts";
import { Journal } from "./change/journal.ts";
import { collectorEnvironment, makeWorkshop } from "./change/make-workshop.ts";
import { PackageIntake } from "./change/package-intake.ts";
import { restartCollector } from "./change/restart-command.ts";
import { Road } from "./change/road.ts";
import { rollBack } from "./change/rollback.ts";
import type { ConfigurationInputs } from "./change/snapshots.ts";
import { WayBack } from "./change/way-back.ts";
import { AgentLog } from "./collector/agent-log.ts";
import { fileIdentityOf, identifyBinary } from "./collector/binary.ts";
import { Collector } from "./collector/collector.ts";
import { LinkedCollector } from "./collector/linked-collector.ts";
import { RestartPolicy } from "./collector/restart-policy.ts";
import { startProcess } from "./collector/start-process.ts";
import { ConfigurationError } from "./configuration/configuration-error.ts";
import { readableLocalFiles } from "./configuration/readable-local-files.ts";
import { redact } from "./configuration/redact.ts";
import { certificatesOf } from "./connection/collector/destination.ts";
import { probeDestination } from "./connection/collector/probe.ts";
import { FiguresReporter } from "./figures/figures-reporter.ts";
import { Programs } from "./packages/programs.ts";
import { toPackageStatuses } from "./packages/statuses.ts";
import type { Parts, SupervisorDeps, Surroundings } from "./parts.ts";
import { describeAgent } from "./report/agent-description.ts";
import { agentCapabilities } from "./report/capabilities.ts";
import { Reporter } from "./report/reporter.ts";
import { Verdicts } from "./report/verdicts.ts";
import type { SupervisorSettings } from "./settings/supervisor-settings.ts";
import type { SupervisorFiles } from "./storage/supervisor-files.ts";
import { Observation } from "./telemetry/observation.ts";
import { offeredDestinations } from "./telemetry/offered-destinations.ts";

const newMark = () => randomBytes(8).toString("hex");

/** Wires the parts of a supervisor together. Nothing of it runs yet. */
export function assemble(
  settings: SupervisorSettings,
  files: SupervisorFiles,
  { runAs, endsWithUs, packages, memory, trust }: Surroundings,
  deps: SupervisorDeps,
): Parts {
  const { clock, logger, telemetry } = deps;
  const { agent, capabilities } = settings;
  const { tracer } = telemetry;

  const saved: Parts["saved"] = async (what, saving) => {
    try {
      await saving;
      return true;
    } catch (error) {
      const fields = { event: "state_not_saved", what, error: describeError(error) };
      logger.error(fields, `cannot write down ${what}`);
      return false;
    }
  };
  const describe: Parts["describe"] = (binary) =>
    describeAgent({
      instanceId: formatInstanceUid(files.instanceUid),
      serviceName: binary?.identified ? binary.command : "otelcol",
      serviceVersion: binary?.identified ? binary.version : "",
      overrides: agent.description,
    });

  const configPath = files.path("effective.yaml");
  const log = new AgentLog({ path: files.path("agent.log"), logger, clock, ...agent.log });
  const ensureInstalled = (mark: string) => files.ensureInstalled(mark);
  const collector = new Collector({
    clock,
    logger,
    log,
    record: (running) => files.running.save(running ?? null),
    spawn: (launch) =>
      startProcess(launch, { clock, logger, log, runAs, endsWithUs, memory, configPath, ensureInstalled }),
  });
  const { token, port: lastPort } = files.link.value;
  const linked = new LinkedCollector({
    clock,
    logger,
    tracer,
    collector,
    token,
    fixedPort: agent.opampServerPort,
    lastPort,
    mayMove: files.everRan,
    portChanged: (port) =>
      saved("the port of the local link", files.link.save({ ...files.link.value, port })),
    reported({ description, availableComponents, customCapabilities }) {
      if (description) reporter.described(description);
      if (availableComponents) reporter.components(availableComponents);
      if (customCapabilities) reporter.customCapabilities(customCapabilities);
    },
    customMessage: (message) => upstream.sendCustomMessage(message),
  });
  const programs = new Programs({
    local: agent.executable,
    acceptsPackages: capabilities.acceptsPackages,
    loadSet: async (id) => packages?.load(id),
    identityOf: fileIdentityOf,
    identify: (executable, signal) =>
      identifyBinary({
        executable,
        signal,
        env: collectorEnvironment(settings),
        timeoutMs: agent.bootstrapTimeoutMs,
        cachePath: files.path("binary.json"),
        runAs,
        clock,
      }),
  });
  const book = new ConfigurationBook(
    files.book.value,
    (content) => saved("configuration_book.json", files.book.save(content)),
    settings.packages.keep,
  );
  const program = () => programs.find(book.current?.packages ?? null);

  const state = new ReportedState({
    instanceUid: files.instanceUid,
    capabilities: agentCapabilities(settings),
  });
  const verdicts = new Verdicts({
    state,
    book,
    save: (status) => saved("the status of the remote configuration", files.saveRemoteConfigStatus(status)),
    changed: () => reporter.refresh(),
  });
  const reporter = new Reporter({
    ownCustomCapabilities: agent.figuresIntervalMs === 0 ? [] : [figuresCapability],
    state,
    collector,
    book,
    clock,
    overrides: agent.description,
    redactedText: async (id) => {
      try {
        const snapshot = await files.snapshots.load(id);
        return snapshot && writeYaml(redact(readYaml(snapshot.text)));
      } catch (error) {
        const fields = { event: "effective_config_unknown", error: describeError(error) };
        logger.warn(fields, "what is to run cannot be shown before the Collector does");
        return undefined;
      }
    },
    mask: (text) => workshop.mask(text),
    concerns: () => ({
      certificates: connections.certificates.concerns,
      credentials: connections.credentials.concerns,
    }),
  });

  const saveKept = async (inputs: ConfigurationInputs) => {
    intake.accept(inputs);
    // Going back to the reference must never run one that failed.
    if (capabilities.acceptsRemoteConfig) {
      const hash = toHex(inputs.remote?.configHash ?? new Uint8Array());
      const remote = book.quarantineOf(hash) === undefined ? inputs.remote : undefined;
      await trust?.kept(remote);
      await saved("the remote configuration", files.saveRemote(remote));
    }
    if (inputs.ownTelemetry !== undefined) {
      void telemetry.redirect(
        offeredDestinations(inputs.ownTelemetry, (pem) => files.snapshots.pemPath(pem)),
      );
      await saved("the own telemetry settings", files.saveOwnTelemetry(inputs.ownTelemetry));
    }
  };
  const workshop = makeWorkshop({
    ...deps,
    settings,
    programs,
    runAs,
    collector,
    book,
    snapshots: files.snapshots,
    configPath,
    packagesPath: packages?.path,
    extension: () => ({
      instanceUid: formatInstanceUid(files.instanceUid),
      port: linked.port,
      token,
      reportsAvailableComponents: capabilities.reportsAvailableComponents,
      ...(agent.onSupervisorExit === "stop" && {
        parent: { pid: process.pid, pollIntervalMs: agent.orphanDetectionIntervalMs },
      }),
    }),
    attributes: (binary) => {
      const { identifying, nonIdentifying } = describe(binary);
      return { ...identifying, ...nonIdentifying };
    },
    install: async (what) => {
      await files.install(what.id);
      await packages?.use(what.packages);
    },
    saveKept,
    reportRemote: (config, verdict) => {
      observation.decided(config.configHash, verdict);
      return verdicts.report(config.configHash, verdict);
    },
    distrust: distrustBy(trust, {
      id: () => formatInstanceUid(files.instanceUid),
      attributes: async () => {
        const found = await program();
        return describe("missing" in found ? undefined : found.binary);
      },
    }),
    installingPackages: (set) => packageIntake?.installing(set),
    keepPackages: async (sets) => packages?.keepOnly(new Set([...sets, ...(packageIntake?.sets ?? [])])),
    provesLater: (mark, keep) => guard.provesLater(mark, keep),
    labelChanged: () => {
      reporter.refresh();
      figures.tell();
    },
    runningChanged: (because, how) => {
      guard.runningChanged(because);
      figures.tell();
      reporter.refresh();
      void packageIntake?.runningChanged(because, how);
      void noteProgram();
    },
  });
  /** With packages the program can become another while the supervisor runs. */
  const noteProgram = async () => {
    const found = await program();
    if (!("missing" in found)) reporter.programChanged(describe(found.binary));
  };

  const journal = new Journal({ save: (entry) => files.saveJournal(entry) });
  const road = new Road({
    journal,
    logger,
    isOwnFault: (error) => error instanceof ConfigurationError,
  });
  const wayBack = new WayBack(workshop, newMark);
  const { lastInputs } = files;
  const intake = new ConfigurationIntake(
    {
      ...lastInputs,
      // What is not accepted any more does not go on counting because it once was.
      ...(!capabilities.acceptsPackages && { packages: null }),
      ...(!capabilities.acceptsRemoteConfig && { remote: undefined }),
    },
    {
      workshop,
      road,
      wayBack,
      newMark,
      readLocalFiles: () => readableLocalFiles(agent.configFiles, logger),
      ownTelemetrySettled: (hash, failure) => {
        collectorConnections.settled(hash, failure);
        // What waits may refer to what was kept.
        if (failure === undefined) intake.retryNow();
        connections.certificates.review();
      },
      packagesSettled: (set, failure) => packageIntake?.settled(set, failure),
      saveWaiting: (offer) => saved("the configuration that waits", files.saveWaitingRemote(offer)),
    },
  );
  const environment = collectorEnvironment(settings);
  const collectorConnections = new CollectorConnections({
    clock,
    policy: agent.ownTelemetry,
    accepted: () => intake.accepted.ownTelemetry,
    change: (offers) => intake.offerOwnTelemetry(offers),
    report: (hash, failure) => connections.telemetrySettled(hash, failure),
    probe: (destination) => probeDestination(destination, environment),
  });
  const packageIntake =
    capabilities.acceptsPackages && packages !== undefined
      ? new PackageIntake({
          workshop,
          configuration: intake,
          record: files.packages.value,
          saveRecord: (record) => saved("packages.json", files.packages.save(record)),
          saveMessage: (message) =>
            saved("the offer of packages", files.savePackages(message.packages, message.remote)),
          acquire: (offer, signal, onProgress) => packages.acquire(offer, signal, onProgress),
          held: (set) => packages.held(set),
          report: (view) => {
            observation.packages(view);
            if (capabilities.reportsPackageStatuses) state.set("packageStatuses", toPackageStatuses(view));
          },
        })
      : undefined;
  const policy = new RestartPolicy({ clock, ...agent.crashLoop });
  policy.restore(files.crashes.value);
  const guard = new Guard({
    workshop,
    road,
    wayBack,
    policy,
    savePolicy: () => files.crashes.save(policy.snapshot()),
    probationMs: agent.probationMs,
    reportedApplied: () => verdicts.reportedApplied(),
    isReportedFailed: (hash) => verdicts.isReportedFailed(hash),
    correctVerdict: (hash, verdict) => verdicts.correct(hash, verdict),
  });

  const connections = new Connections(
    settings,
    {
      remoteConfig: (config) => {
        observation.offered(config.configHash);
        collectorConnections.whenSettled(() => {
          if (packageIntake?.remoteOffered(config) !== true) void intake.offerRemote(config);
        });
      },
      packages: (offered, remote) => {
        // Latest wins: what waits is older than what comes with the packages.
        if (remote !== undefined) collectorConnections.forgetDependent();
        void packageIntake?.offer({ packages: offered, remote, fromThisHost: false });
      },
      ownTelemetry: (offers) => collectorConnections.offer(offers),
      restart: () => road.urgent(() => observation.command(() => restartCollector(workshop))),
      customMessage: (message) => linked.sendCustomMessage(message),
      presenceChanged: () => figures.tell(),
      instanceUid: (uid) => void adoptInstanceUid(uid),
      certificatesChanged: () => reporter.refresh(),
      credentialsChanged: () => reporter.refresh(),
    },
    {
      ...deps,
      files: files.connection,
      state,
      tracer,
      newMark,
      saved,
      mayWait: files.everRan,
      collectorCertificates: () => certificatesOf(intake.accepted.ownTelemetry),
    },
  );
  const { upstream } = connections;
  const adoptInstanceUid = async (uid: Uint8Array) => {
    await saved("the instance UID", files.saveInstanceUid(uid));
    const found = await program();
    reporter.identified(describe("missing" in found ? undefined : found.binary));
    intake.changeLocal("new instance UID");
  };
  const figures: FiguresReporter = new FiguresReporter({
    ...deps,
    state,
    collector,
    book,
    log,
    restarts: () => observation.restarts,
    wanted: () => upstream.wantsCustomMessage(figuresCapability),
    send: (message) => upstream.sendCustomMessage(message),
    intervalMs: agent.figuresIntervalMs,
    id: newMark(),
  });
  reporter.customCapabilities({ capabilities: [] });
  state.subscribe((change) => {
    if (change === "remoteConfigStatus") figures.tell();
  });
  const observation = new Observation(telemetry, {
    clock,
    collector,
    state,
    book,
    connection: () => upstream.status,
    certificates: () => connections.certificates.certificates,
    storage: () => files.storage,
  });

  return {
    log,
    collector,
    linked,
    programs,
    book,
    state,
    reporter,
    verdicts,
    workshop,
    journal,
    road,
    wayBack,
    intake,
    collectorConnections,
    figures,
    packageIntake,
    guard,
    rollBack: (rollback) => rollBack(rollback, { workshop, road, wayBack, newMark }),
    upstream,
    connections,
    trust,
    observation,
    describe,
    program,
    saved,
  };
}
