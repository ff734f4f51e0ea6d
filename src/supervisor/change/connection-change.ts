import { isDeepStrictEqual } from "node:util";
import type { Clock } from "../../foundation/clock.ts";
import { describeError } from "../../foundation/errors.ts";
import type { Logger } from "../../foundation/logger.ts";
import type { AgentSessionSettings } from "../../opamp/agent/settings.ts";
import type { ConnectionCandidate, OfferId, Overrides } from "../connection/connection-record.ts";
import type { MakeSessionSettings } from "../connection/session-settings.ts";
import { checkMaterial } from "../connection/tls-material.ts";
import { UnusableOfferError } from "../connection/unusable-offer.ts";
import type { Upstream } from "../connection/upstream.ts";
import type { Change, ChangeRecord, Failure } from "./change.ts";
import type { ConnectionBook } from "./connection-book.ts";

export interface ConnectionChangeDeps {
  book: ConnectionBook;
  upstream: Upstream;
  clock: Clock;
  logger: Logger;
  makeSettings: MakeSessionSettings;
  /** Digest of the server section of supervisor.yaml. */
  basis: string;
  /** Writes the candidate down; rejects when the disk cannot be written. */
  saveCandidate: (candidate: ConnectionCandidate | null) => Promise<void>;
  /** What is wrong with a certificate for a key of this host; undefined: nothing. */
  checkOwnCertificate: (pem: string) => string | undefined;
  /** Told once how it ended; no failure means that it was kept. */
  settled: (offer: OfferId, failure: Failure | undefined) => void;
}

/**
 * Offered connection settings on a road of their own (AN3, AN4). They do not touch the Collector, so that a server
 * that is slow to answer never holds up a configuration, nor a configuration that is being proven them.
 */
export class ConnectionChange implements Change {
  readonly record: ChangeRecord;
  readonly #offer: OfferId;
  readonly #read: () => Overrides;
  readonly #deps: ConnectionChangeDeps;
  #overrides: Overrides;
  #settings: AgentSessionSettings | undefined;

  /**
   * `read` makes the overrides of the offer, from what is in use then; it throws UnusableOfferError. `staged` is
   * what an earlier process has made.
   */
  constructor(
    id: string,
    offer: OfferId,
    read: () => Overrides,
    deps: ConnectionChangeDeps,
    staged: Overrides = {},
  ) {
    this.#overrides = staged;
    this.record = { kind: "connection", id, detail: { hash: offer.hash } };
    this.#offer = offer;
    this.#read = read;
    this.#deps = deps;
  }

  async stage(): Promise<undefined> {
    const { book, saveCandidate, basis } = this.#deps;
    this.#overrides = this.#read();
    this.#settings = undefined;
    await saveCandidate({ id: this.record.id, offer: this.#offer, overrides: this.#overrides, basis });
    book.applying(this.#offer);
  }

  async check(): Promise<Failure | "unchanged" | undefined> {
    const { book, clock, checkOwnCertificate } = this.#deps;
    const { heartbeatSeconds: _, ...others } = this.#overrides;
    const { heartbeatSeconds: __, ...inUse } = book.inUse;
    const { settings } = this.#prepare();
    checkMaterial(settings, this.#overrides, clock.now());
    const { certificate } = this.#overrides;
    const problem = certificate?.own === true ? checkOwnCertificate(certificate.cert) : undefined;
    if (problem !== undefined) throw new UnusableOfferError(problem);
    return isDeepStrictEqual(others, inUse) ? "unchanged" : undefined;
  }

  async switchOver(): Promise<undefined> {
    const { upstream, logger, book } = this.#deps;
    const { settings } = this.#prepare();
    // Said again where an earlier process had begun.
    book.applying(this.#offer);
    const fields = { event: "connection_settings_received", server_url: settings.endpoint.host };
    logger.info(fields, "trying the connection settings that the server offers");
    await upstream.reach(settings);
  }

  async prove(): Promise<undefined> {
    await this.#deps.upstream.proveTrial();
  }

  async keep(how: "switched" | "unchanged"): Promise<void> {
    const { book, upstream, logger, basis, saveCandidate, settled } = this.#deps;
    const { settings } = this.#prepare();
    await book.keep(this.#overrides, this.#offer, basis);
    // Its good-bye comes before the report on the new connection: a server may take it for the agent's.
    if (how === "switched") await upstream.adoptTrial();
    else upstream.retune(settings);
    book.reportKept();
    const fields = { event: "connection_settings_applied", server_url: settings.endpoint.host };
    logger.info(fields, "the offered connection works and is used from now on");
    await saveCandidate(null).catch(() => undefined);
    settled(this.#offer, undefined);
  }

  async reject(failure: Failure): Promise<void> {
    const { book, logger, saveCandidate, settled } = this.#deps;
    const fields = { event: "connection_settings_refused", error: failure.reason };
    logger.error(fields, "the offered connection settings cannot be used; those in use stay");
    await book.refuse(this.#offer, failure);
    await saveCandidate(null).catch(() => undefined);
    settled(this.#offer, failure);
  }

  async revert(failure: Failure): Promise<void> {
    await this.#deps.upstream.giveUpTrial();
    await this.reject(failure);
  }

  #prepare(): { settings: AgentSessionSettings } {
    try {
      this.#settings ??= this.#deps.makeSettings(this.#overrides);
    } catch (error) {
      throw new UnusableOfferError(describeError(error));
    }
    return { settings: this.#settings };
  }
}
