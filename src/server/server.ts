import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Clock } from "../foundation/clock.ts";
import { describeError } from "../foundation/errors.ts";
import type { Logger } from "../foundation/logger.ts";
import { ServerCapability } from "../opamp/bits.ts";
import { figuresCapability } from "../opamp/figures.ts";
import { OpampEndpoint } from "../opamp/server/endpoint.ts";
import type { AgentIdentity } from "./access/agents.ts";
import { openAccess } from "./access/open-access.ts";
import { AgentService } from "./agent-service.ts";
import { createApi } from "./api/api.ts";
import { MemoryIdempotencyStore } from "./api/idempotency-store.ts";
import { AuditLog } from "./audit/audit-log.ts";
import { openAuthority } from "./certificates/authority.ts";
import { openCertificates } from "./certificates/open-certificates.ts";
import { type AskCollector, CollectorCheck } from "./configurations/collector-check.ts";
import { configurationComposer } from "./configurations/configuration-composer.ts";
import { configurationRows } from "./configurations/configuration-rows.ts";
import { Configurations } from "./configurations/configurations.ts";
import { secretReader } from "./configurations/secret-reference.ts";
import { connectionComposer } from "./connections/connection-composer.ts";
import { ServerEvents } from "./events.ts";
import { Claims } from "./fleet/claims.ts";
import { conditionOf } from "./fleet/condition.ts";
import { Fleet } from "./fleet/fleet.ts";
import { readFleet } from "./fleet/fleet-reader.ts";
import { FleetWriter } from "./fleet/fleet-writer.ts";
import { Forgetting } from "./fleet/forgetting.ts";
import { Groups } from "./fleet/groups.ts";
import { offersOf } from "./fleet/offer-history.ts";
import { OperatorLabels } from "./fleet/operator-labels.ts";
import { type Listener, openListener } from "./listener.ts";
import { credentialsOf } from "./notifications/credentials.ts";
import { Notifications } from "./notifications/notifications.ts";
import { Answers } from "./offers/answers.ts";
import { Offering } from "./offers/offering.ts";
import { RuleBook } from "./offers/rule-book.ts";
import { Overload } from "./operations/overload.ts";
import { ServerMetrics } from "./operations/server-metrics.ts";
import { noPackages } from "./packages/package-composer.ts";
import { openPackages } from "./packages/packages.ts";
import { Leadership } from "./replicas/leadership.ts";
import { Replication } from "./replicas/replication.ts";
import { Restarts } from "./restarts.ts";
import { goBack } from "./rollouts/go-back.ts";
import { Prometheus } from "./rollouts/prometheus.ts";
import { ReleasedAgents } from "./rollouts/released-agents.ts";
import { RolloutBook } from "./rollouts/rollout-book.ts";
import { Rollouts } from "./rollouts/rollouts.ts";
import { Strategies } from "./rollouts/strategies.ts";
import type { ServerSettings } from "./settings/server-settings.ts";
import { type Database, openDatabase } from "./storage/database.ts";
import { lastRevision } from "./storage/revisions.ts";
import { Secrets } from "./storage/secrets.ts";
import { certificateExpiries } from "./tls-material.ts";
import { loadWebFiles } from "./web/web-files.ts";

export interface ServerDependencies {
  clock: Clock;
  log: Logger;
  /** Asks the Collector of `validation.collector`; without it none is asked. */
  askCollector?: AskCollector | undefined;
  /** Folder of the built web UI; left out: the server has none. */
  web?: string | undefined;
}

/** An opamp-server that serves Agents and operators. */
export interface RunningServer {
  /** `ws://` or `wss://`, with the path, as a client on this machine reaches it. */
  readonly opampUrl: URL;
  /** `http://` or `https://`; the API is below it at /api/v1. */
  readonly managementUrl: URL;
  readonly fleet: Fleet;
  readonly rollouts: Rollouts;
  /** Close frames 1001 to the Agents, spread over `opamp.drain`, and listeners closed; takes seconds beyond that at most. */
  close(): Promise<void>;
}

/** What this server announces (SS3). */
const baseCapabilities =
  ServerCapability.AcceptsStatus |
  ServerCapability.OffersRemoteConfig |
  ServerCapability.AcceptsEffectiveConfig |
  ServerCapability.OffersConnectionSettings;

/** The same when it has packages. */
const packageCapabilities = ServerCapability.OffersPackages | ServerCapability.AcceptsPackagesStatus;

/** The same when it issues certificates. */
const certificateCapabilities =
  ServerCapability.AcceptsConnectionSettingsRequest | ServerCapability.OffersConnectionSettings;

/** Missed polls after which an Agent on plain HTTP counts as gone, and half a poll for its jitter. */
const missedPolls = 3.5;

/** A reader that was away for no more events than these misses none: a fleet that connects, and what is offered to it. */
const keptEvents = 65_536;

/** How long, and how much of, the answers to requests with an Idempotency-Key are kept. */
const keepAnswersMs = 24 * 3_600_000;
const keptCharacters = 32 * 1024 * 1024;

/** Between the good-byes to two Agents at a stop, unless `opamp.drain` is shorter for all of them. */
const drainPaceMs = 1;

const pingTimeoutMs = 5_000;
const closeTimeoutMs = 3_000;
const queryTimeoutMs = 5_000;

/**
 * Opens both listeners and serves until closed.
 * @throws TlsMaterialError, StorageError, or Error that names the setting of a port that cannot be had.
 */
export async function startServer(
  settings: ServerSettings,
  { clock, log, askCollector, web }: ServerDependencies,
): Promise<RunningServer> {
  const database = await openDatabase(settings.storage, { clock, log });
  try {
    return await serve(settings, { clock, log, askCollector, web, database });
  } catch (error) {
    await database.close();
    throw error;
  }
}

async function serve(
  settings: ServerSettings,
  { clock, log, askCollector, web, database }: ServerDependencies & { database: Database },
): Promise<RunningServer> {
  const { opamp, management } = settings;
  const packages =
    settings.packages && openPackages(settings.packages, { secure: opamp.tls !== undefined, clock, log });
  const secrets = new Secrets({ database, settings: settings.storage });
  const source = settings.certificates.authority;
  if (source !== undefined && opamp.tls === undefined) {
    throw new Error("certificates.authority: needs opamp.tls, for nobody can show a certificate without TLS");
  }
  const authority = source && (await openAuthority(source, { secrets, clock }));
  const access = openAccess({
    settings: settings.access,
    storage: settings.storage,
    management: management.address,
    database,
    isRevoked: (fingerprint) => room.register.isRevoked(fingerprint),
    clock,
    log,
  });
  const events = new ServerEvents({ clock, run: clock.now().toString(36), kept: keptEvents });
  const operatorLabels = await OperatorLabels.open(database);
  const replica = randomUUID();
  let replication: Replication | undefined;
  const writer = new FleetWriter({
    database,
    clock,
    log,
    replica,
    onWritten: () => replication?.send({ t: "agents" }),
  });
  const fleet = new Fleet({
    clock,
    log,
    events,
    pollTimeoutMs: missedPolls * opamp.heartbeatIntervalMs,
    operatorLabels,
    observer: writer,
  });
  writer.attach(fleet);
  const revision = await lastRevision(database.query, "agents");
  const shared = database.messages !== undefined;
  // Who of the others is alive is known when this one has joined them.
  for (const agent of await readFleet(database.query, () => shared)) fleet.adopt(agent);
  const expiries = () => certificateExpiries({ opamp: opamp.tls, management: management.tls });
  const metrics = new ServerMetrics({
    events,
    fleet,
    clock,
    labels: settings.metrics.labels,
    certificateExpiries: expiries,
  });
  const claims = new Claims({ fleet, clock, log, pingTimeoutMs });
  const released = new ReleasedAgents();
  const rules = await RuleBook.open({
    database,
    clock,
    reach: released,
    onWritten: () => replication?.send({ t: "rules" }),
  });
  const readSecret = secretReader({
    sources: settings.secrets,
    env: process.env,
    readFile: (path) => readFileSync(path, "utf8"),
  });
  const offering = new Offering({
    events,
    fleet,
    rules,
    clock,
    log,
    repeatOfferAfterMs: opamp.heartbeatIntervalMs / 2,
    configurations: configurationComposer(readSecret),
    packages: packages?.composer ?? noPackages,
    connections: connectionComposer({ readSecret, heartbeatIntervalMs: opamp.heartbeatIntervalMs }),
  });
  // Alone on its database, this server leads from the start.
  const leadership = shared ? new Leadership({ database, clock, log, replica, name: "rollouts" }) : undefined;
  await leadership?.start();
  const book = await RolloutBook.open({ database, released, clock, events, log });
  const configurations = new Configurations({
    database,
    clock,
    readSecret,
    collector: askCollector && new CollectorCheck({ ask: askCollector, readSecret }),
  });
  const rollouts = new Rollouts({
    book,
    database,
    fleet,
    rules,
    offering,
    prometheus: new Prometheus({
      url: settings.rollouts.prometheusUrl,
      fetch,
      clock,
      timeoutMs: queryTimeoutMs,
    }),
    clock,
    log,
    leads: () => leadership?.isLeader() ?? true,
  });
  const notifications = await Notifications.open({
    settings: settings.notifications,
    events,
    fleet,
    credentials: () => credentialsOf({ keys: access.keys, certificateExpiries: expiries }),
    leads: () => leadership?.isLeader() ?? true,
    fetch,
    clock,
    log,
  });
  const strategies = new Strategies({ database, clock, defaultName: settings.rollouts.defaultStrategy });
  const answers = new Answers({ fleet, offering, events, log });
  const room = openCertificates({
    settings: settings.certificates,
    authority,
    offer: { path: opamp.path, heartbeatIntervalMs: opamp.heartbeatIntervalMs },
    fleet,
    database,
    clock,
    log,
    events,
    cut: (fingerprint) => access.live.revoke(fingerprint),
  });
  const service = new AgentService({
    fleet,
    claims,
    offering,
    answers,
    certificates: room.certificates,
    others: {
      mayTake: async (id) => (await replication?.mayTake(id)) ?? true,
      restart: ({ id }, to) => replication?.send({ t: "restart", to, agent: id }),
    },
  });
  if (database.messages !== undefined) {
    replication = new Replication({
      database: { ...database, messages: database.messages },
      clock,
      log,
      replica,
      fleet,
      writer,
      rules,
      offering,
      holds: (id) => claims.isHeld(id),
      restart: (agent) => void service.restart(agent),
      followRollouts: () => book.reloadAll(),
      revision,
    });
    await replication.start();
  }
  const overload = new Overload({ fleet, clock, log, random: Math.random });
  const endpoint = new OpampEndpoint<AgentIdentity>(
    {
      path: opamp.path,
      capabilities:
        baseCapabilities |
        (packages === undefined ? 0n : packageCapabilities) |
        (authority === undefined ? 0n : certificateCapabilities),
      customCapabilities: [figuresCapability],
      maxMessageBytes: opamp.maxMessageBytes,
      maxConnections: opamp.maxConnections,
      closeTimeoutMs,
      logger: log,
      clock,
    },
    {
      admit: (request) => access.agents.admit(request),
      onConnected: (connection) => {
        metrics.webSocketOpened();
        access.live.opened(connection);
      },
      onMessage: (connection, message) => {
        metrics.received(message);
        const refusal = overload.refusal(connection, message);
        if (refusal !== undefined) return refusal;
        return service.answer(connection, message);
      },
      onSent: (message) => metrics.sent(message),
      onClosed: (connection, reason) => {
        access.live.closed(connection);
        fleet.connectionClosed(connection, reason);
      },
    },
  );
  const groups = await Groups.open({ database, clock, events });
  const restarts = new Restarts({ fleet, service, clock, log });
  const state = { ready: false };
  const api = await createApi({
    rooms: {
      groups,
      restarts,
      operatorLabels,
      async relabelled(id) {
        fleet.relabel(id);
        const agent = fleet.get(id);
        if (agent !== undefined) await offering.offerDue(undefined, [agent]);
      },
      events,
      clock,
      fleet,
      service,
      offering,
      rollouts,
      strategies,
      configurations,
      rules,
      readSecret,
      storedConfiguration: (hash) => configurationRows.load(database.query, hash),
      goBack: (wish) => goBack({ rollouts, rules, fleet, database }, wish),
      conditionOf: (agent) =>
        conditionOf(agent, { now: clock.now(), staleAfterMs: settings.fleet.staleAfterMs }),
      async offersOf(id) {
        // What was offered a moment ago may still wait to be written.
        await writer.flush();
        return offersOf(database.query, id);
      },
      catalogue: packages?.catalogue,
      isReady: () => state.ready,
      keys: access.keys,
      certificateRoom: {
        ...room,
        renewBeforeMs: settings.certificates.renewBeforeMs,
        now: () => clock.now(),
      },
      metrics: metrics.all(),
      keyLifetimeMs: settings.access.keyLifetimeMs,
    },
    people: access.people,
    audit: new AuditLog({ database, clock }),
    idempotency: new MemoryIdempotencyStore({ clock, keepMs: keepAnswersMs, maxCharacters: keptCharacters }),
    web: web === undefined ? new Map() : loadWebFiles(web),
    log,
    maxBodyBytes: management.maxBodyBytes,
  });

  const onError = (error: Error) =>
    log.error({ event: "listener_error", error: describeError(error) }, "a connection could not be taken");
  const agents = await openListener({
    section: "opamp",
    onError,
    clock,
    log,
    // An Agent on plain HTTP keeps its connection from poll to poll.
    keepAliveTimeoutMs: 1.5 * opamp.heartbeatIntervalMs,
    address: opamp.address,
    tls: opamp.tls,
    alsoTrust: authority?.cert,
    onRequest(request, response) {
      if (packages?.downloads.handles(request) !== true) return endpoint.handleRequest(request, response);
      metrics.downloadStarted();
      packages.downloads.handleRequest(request, response);
    },
    onUpgrade: (request, socket, head) => endpoint.handleUpgrade(request, socket, head),
  });
  const operators = await openListener({
    section: "management",
    onError,
    clock,
    log,
    address: management.address,
    tls: management.tls,
    onRequest: api,
  }).catch(async (error: unknown) => {
    await agents.close();
    throw error;
  });

  const forgetting = new Forgetting({ fleet, database, clock, log, afterMs: settings.fleet.forgetAfterMs });
  const opampUrl = opampUrlOf(agents, opamp.path);
  const managementUrl = operators.url;
  state.ready = true;
  log.info(
    { event: "listening", opamp_url: opampUrl.href, management_url: managementUrl.href },
    "serving agents and operators",
  );

  return {
    opampUrl,
    managementUrl,
    fleet,
    rollouts,
    async close() {
      state.ready = false;
      agents.stopAccepting();
      restarts.close();
      // A small fleet keeps nobody waiting: it is no herd.
      await endpoint.close({ spreadMs: Math.min(opamp.drainMs, endpoint.connectionCount * drainPaceMs) });
      overload.close();
      fleet.close();
      await rollouts.close();
      await room.close();
      await leadership?.close();
      await Promise.all([agents.close(), operators.close(), forgetting.close()]);
      await writer.close();
      await replication?.close();
      await notifications?.close();
      await packages?.close();
      await database.close();
    },
  };
}

function opampUrlOf({ url }: Listener, path: string): URL {
  const opampUrl = new URL(path, url);
  opampUrl.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return opampUrl;
}
