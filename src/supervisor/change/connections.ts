import type { Clock } from "../../foundation/clock.ts";
import { describeError } from "../../foundation/errors.ts";
import { toHex } from "../../foundation/hex.ts";
import type { Logger } from "../../foundation/logger.ts";
import type { ReportedState } from "../../opamp/agent/reported-state.ts";
import { type AgentSessionSettings, presentTls } from "../../opamp/agent/settings.ts";
import { formatInstanceUid } from "../../opamp/instance-uid.ts";
import {
  CertificateWatch,
  type CollectorCertificateUse,
} from "../connection/certificate/certificate-watch.ts";
import { CertificateRenewal } from "../connection/certificate/renewal.ts";
import { Credentials } from "../connection/credentials/credentials.ts";
import { type MakeSessionSettings, sessionSettings } from "../connection/session-settings.ts";
import { UnusableOfferError } from "../connection/unusable-offer.ts";
import { Upstream, type UpstreamHandlers } from "../connection/upstream.ts";
import type { SupervisorSettings } from "../settings/supervisor-settings.ts";
import type { ConnectionFiles } from "../storage/connection-files.ts";
import type { Tracer } from "../telemetry/tracer.ts";
import type { Failure } from "./change.ts";
import { ConnectionBook } from "./connection-book.ts";
import type { ConnectionChangeDeps } from "./connection-change.ts";
import { ConnectionFallback } from "./connection-fallback.ts";
import { ConnectionIntake } from "./connection-intake.ts";
import { type RestoredConnection, restoreConnection } from "./connection-restoration.ts";
import { Journal } from "./journal.ts";
import { Road } from "./road.ts";
import type { NewMark } from "./workshop.ts";

interface ConnectionsDeps {
  files: ConnectionFiles;
  state: ReportedState;
  clock: Clock;
  logger: Logger;
  tracer: Tracer;
  newMark: NewMark;
  /** Whether files of `server.tls` that cannot be read now are waited for, for the sake of a Collector that runs. */
  mayWait?: boolean;
  /** Those that offers gave the Collector. */
  collectorCertificates?: () => ReadonlyMap<CollectorCertificateUse, string>;
  /** Writes something down; what counts in this process counts even when the disk cannot be written. */
  saved: (what: string, saving: Promise<void>) => Promise<boolean>;
  random?: () => number;
}

/** What the rest of the supervisor does about messages; those about connections are dealt with here. */
type Handlers = Omit<UpstreamHandlers, "connectionSettings"> & {
  /** Other things are to be said of certificates than before. */
  certificatesChanged?: () => void;
  /** The renewal of credentials has begun, or ceased, to fail. */
  credentialsChanged?: () => void;
};

/**
 * The way to the OpAMP server with all that can change it: offers, this host's certificate, and the way back to
 * supervisor.yaml. Their changes have a road and a journal of their own, because they do not touch the Collector:
 * a server that is slow to answer must not hold up a configuration.
 */
export class Connections {
  readonly upstream: Upstream;
  readonly certificates: CertificateWatch;
  readonly credentials: Credentials;
  readonly #deps: ConnectionsDeps;
  readonly #handlers: Handlers;
  readonly #road: Road;
  readonly #book: ConnectionBook;
  readonly #intake: ConnectionIntake;
  readonly #fallback: ConnectionFallback;
  readonly #renewal: CertificateRenewal;
  readonly #unfinished: RestoredConnection["unfinished"];
  #tidied: Promise<void> | undefined;

  /** @throws when TLS material of supervisor.yaml cannot be read; the message names the key. */
  constructor(settings: SupervisorSettings, handlers: Handlers, deps: ConnectionsDeps) {
    const { files, state, clock, logger, saved, newMark, random = Math.random } = deps;
    const { server, capabilities } = settings;
    this.#deps = deps;
    this.#handlers = handlers;
    this.credentials = new Credentials(server, {
      clock,
      logger,
      random,
      changed: () => handlers.credentialsChanged?.(),
    });
    const makeSettings = sessionSettings(settings, { ...deps, credentials: this.credentials });
    const restored = this.#restore(settings);
    this.#unfinished = restored.unfinished;
    this.#road = new Road({
      journal: new Journal({ save: (entry) => files.journal.save(entry ?? null) }),
      logger,
      isOwnFault: (error) => error instanceof UnusableOfferError,
    });
    this.#road.pause();
    this.#book = new ConnectionBook(restored.record, {
      state,
      clock,
      save: (record) => saved("connection_settings.json", files.record.save(record)),
    });
    this.upstream = new Upstream(
      this.#firstSettings(makeSettings),
      {
        ...handlers,
        connectionSettings: (offers) => this.#intake.offer(offers),
        ownTelemetry: (offers) => {
          this.#book.telemetryOffered(toHex(offers.hash));
          handlers.ownTelemetry(offers);
        },
        presenceChanged: () => this.#presenceChanged(),
        instanceUid: (uid) => {
          handlers.instanceUid(uid);
          this.#renewal.instanceUidChanged();
        },
      },
      deps,
    );
    this.#renewal = new CertificateRenewal({
      settings: {
        ...server.certificate,
        request: server.certificate.request && capabilities.acceptsOpampConnectionSettings,
      },
      clock,
      logger,
      random,
      instanceUid: () => formatInstanceUid(state.instanceUid),
      certificate: () => this.#book.kept?.overrides.certificate,
      request: files.request.value ?? undefined,
      saveRequest: (request) => files.request.save(request),
      send: (csr) => this.upstream.requestCertificate(csr),
    });
    this.certificates = new CertificateWatch({
      clock,
      read: () => ({
        tls: presentTls(this.upstream.settings),
        kept: this.#book.kept?.overrides.certificate,
      }),
      readCollector: deps.collectorCertificates ?? (() => new Map()),
      changed: () => handlers.certificatesChanged?.(),
    });
    const changeDeps: ConnectionChangeDeps = {
      book: this.#book,
      upstream: this.upstream,
      clock,
      logger,
      makeSettings,
      basis: server.digest,
      saveCandidate: (candidate) => files.candidate.save(candidate),
      checkOwnCertificate: (pem) => this.#renewal.check(pem),
      settled: (_offer, failure) => {
        this.#fallback.presenceChanged();
        this.certificates.review();
        if (failure === undefined) this.#renewal.kept();
      },
    };
    const request = () => this.#renewal.request;
    this.#intake = new ConnectionIntake({ ...changeDeps, road: this.#road, newMark, request });
    this.#fallback = new ConnectionFallback({
      ...changeDeps,
      road: this.#road,
      random,
      fallbackAfterMs: server.fallbackAfterMs,
    });
  }

  /** Connects at once, and reports as soon as there is something to say. */
  start(described: Promise<void>): void {
    this.upstream.start(described);
    this.certificates.review();
    this.#fallback.presenceChanged();
    this.#tidied = this.#tidy();
    // Until then there is nothing to say, and nothing can be answered in time.
    Promise.all([this.#tidied, described]).then(
      () => {
        this.#intake.resume(this.#unfinished);
        this.#road.open();
      },
      () => undefined,
    );
  }

  /** Own telemetry of this offer is in use, or is not because of `failure`. */
  telemetrySettled(hash: Uint8Array, failure: Failure | undefined): void {
    void this.#book.telemetrySettled(toHex(hash), failure);
  }

  async stop(): Promise<void> {
    this.#fallback.stop();
    this.#renewal.stop();
    this.certificates.stop();
    this.credentials.stop();
    const closed = this.#road.close();
    await this.upstream.stop();
    await Promise.all([closed, this.#tidied]);
  }

  /** Goes on from what an earlier process has left, unless supervisor.yaml has changed since. */
  #restore({ server, capabilities }: SupervisorSettings): RestoredConnection {
    const { files, clock, logger } = this.#deps;
    const restored = restoreConnection(
      {
        record: files.record.value,
        candidate: files.candidate.value,
        entry: files.journal.value ?? undefined,
      },
      capabilities.acceptsOpampConnectionSettings ? server.digest : undefined,
      clock.now(),
    );
    if (restored.superseded) {
      const why =
        "supervisor.yaml was edited, and has the last word: offered connection settings are dropped";
      logger.warn({ event: "connection_settings_superseded" }, why);
    }
    return restored;
  }

  /** Those of supervisor.yaml stand in where files that the kept ones need cannot be read. */
  #firstSettings(makeSettings: MakeSessionSettings): AgentSessionSettings {
    try {
      return makeSettings(this.#book.inUse);
    } catch (error) {
      if (this.#book.kept === null) throw error;
      const reason = describeError(error);
      const fields = { event: "connection_fallback", reason };
      this.#deps.logger.error(fields, "the kept connection settings cannot be used");
      void this.#book.fallBack(`the settings of supervisor.yaml are used: ${reason}`);
      return makeSettings({});
    }
  }

  /** Writes down what was decided, in an order that a crash in between does no harm to. */
  async #tidy(): Promise<void> {
    const { files, saved } = this.#deps;
    const { record } = this.#book;
    if (record !== files.record.value) await saved("connection_settings.json", files.record.save(record));
    if (this.#unfinished !== undefined) return;
    if (files.journal.value !== null) await saved("connection_journal.json", files.journal.save(null));
    if (files.candidate.value !== null) await saved("connection_candidate.json", files.candidate.save(null));
  }

  #presenceChanged(): void {
    this.#handlers.presenceChanged();
    this.#fallback.presenceChanged();
    this.certificates.review();
    if (this.upstream.presence.connected) this.#renewal.review();
  }
}
