import { createPrivateKey } from "node:crypto";
import { Backoff } from "../../../foundation/backoff.ts";
import type { Clock, Timer } from "../../../foundation/clock.ts";
import { describeError } from "../../../foundation/errors.ts";
import type { Logger } from "../../../foundation/logger.ts";
import type { CertificateSettings } from "../../settings/supervisor-settings.ts";
import type { CertificateRequestRecord, Overrides } from "../connection-record.ts";
import { expiryOf, namesAgent, renewalTime } from "./issued.ts";
import { newPrivateKey } from "./key-pair.ts";
import { signingRequest } from "./signing-request.ts";

/** Node cannot wait longer than 24 days, and a clock may be set right meanwhile. Milliseconds. */
const longestWaitMs = 60 * 60_000;
/** A certificate that lives for seconds must not make this host ask without end. Milliseconds. */
const shortestWaitMs = 250;

interface RenewalDeps {
  settings: CertificateSettings;
  clock: Clock;
  logger: Logger;
  random: () => number;
  /** In canonical form. */
  instanceUid: () => string;
  /** In use, and over which connection. */
  certificate: () => Overrides["certificate"];
  request: CertificateRequestRecord | undefined;
  /** Rejects when the disk cannot be written: a key that a restart would lose is not used. */
  saveRequest: (request: CertificateRequestRecord | null) => Promise<void>;
  /** Hands a request to the server. */
  send: (csr: string) => "queued" | "unsupported";
}

/**
 * Gets this host a certificate of its own, on first use in place of what it was set up with, and renews it in time
 * (AN19-AN22, AI8). The key is made here and never leaves this host. What comes back is an offer like any other.
 */
export class CertificateRenewal {
  readonly #deps: RenewalDeps;
  readonly #backoff: Backoff;
  #request: CertificateRequestRecord | undefined;
  #renewAt: { pem: string; at: number } | undefined;
  #timer: Timer | undefined;
  #asking = false;
  /** Monotonic; until then the server has time to answer the last request. */
  #patientUntil = 0;
  #stopped = false;

  constructor(deps: RenewalDeps) {
    this.#deps = deps;
    this.#request = deps.request;
    const { random } = deps;
    this.#backoff = new Backoff({ initialMs: 60_000, maxMs: 3_600_000, factor: 2, jitter: 0.3, random });
  }

  /** The key that waits for its certificate. */
  get request(): CertificateRequestRecord | undefined {
    return this.#request;
  }

  /** Looks whether a certificate is due: call it when connected, and when something of it has changed. */
  review(): void {
    if (!this.#deps.settings.request || this.#stopped) return;
    this.#timer?.cancel();
    this.#noteAnswer();
    const { clock } = this.#deps;
    const waitMs = Math.max(this.#dueIn(), this.#patientUntil - clock.monotonic());
    if (waitMs > 0) {
      this.#timer = clock.setTimer(Math.min(waitMs, longestWaitMs), () => this.review());
    } else void this.#ask();
  }

  /** Another uid needs another certificate, at once (AI8). */
  instanceUidChanged(): void {
    this.#patientUntil = 0;
    this.review();
  }

  /** Offered connection settings were kept. */
  kept(): void {
    // The request that was not answered may have gone to another server.
    if (this.#request !== undefined) this.#patientUntil = 0;
    this.review();
  }

  /** What is wrong with a certificate that was issued to this host; undefined: nothing. */
  check(pem: string): string | undefined {
    const { settings, instanceUid } = this.#deps;
    if (settings.identity === "any" || namesAgent(pem, instanceUid())) return undefined;
    return "the certificate was issued to another agent: neither its common name nor an alternative name is this instance UID";
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  /** The request has become the certificate in use, if need be in an earlier process. */
  #noteAnswer(): void {
    const certificate = this.#deps.certificate();
    if (certificate === undefined || certificate.key !== this.#request?.key) return;
    const { logger, saveRequest, clock } = this.#deps;
    const until = expiryOf(certificate.cert);
    this.#backoff.reset();
    // One that is due again as soon as it is issued is not asked for in a circle.
    this.#patientUntil = clock.monotonic() + Math.max((until - clock.now()) / 10, shortestWaitMs);
    this.#request = undefined;
    saveRequest(null).catch(() => undefined);
    const fields = { event: "certificate_renewed", valid_until: new Date(until).toISOString() };
    logger.info(fields, "this host has a new certificate");
  }

  #dueIn(): number {
    const { settings, clock, certificate, random, instanceUid } = this.#deps;
    const current = certificate();
    if (current?.own !== true || expiryOf(current.cert) === 0) return 0;
    if (settings.identity === "instance_uid" && !namesAgent(current.cert, instanceUid())) return 0;
    if (this.#renewAt?.pem !== current.cert) {
      const at = renewalTime(current.cert, settings.renewBeforeMs, random());
      this.#renewAt = { pem: current.cert, at };
    }
    return this.#renewAt.at - clock.now();
  }

  async #ask(): Promise<void> {
    if (this.#asking) return;
    this.#asking = true;
    const { logger, send, clock, instanceUid } = this.#deps;
    try {
      const request = await this.#prepare();
      if (this.#stopped) return;
      // Where the server does not issue certificates, another connection may lead to one that does.
      if (send(request.csr) === "queued") {
        const fields = { event: "certificate_requested", instance_uid: instanceUid() };
        logger.info(fields, "asking the server for a certificate");
        this.#patientUntil = clock.monotonic() + this.#patience();
      }
    } catch (error) {
      const fields = { event: "certificate_request_failed", error: describeError(error) };
      logger.error(fields, "no certificate can be asked for");
    } finally {
      this.#asking = false;
    }
    if (this.#stopped) return;
    const left = this.#patientUntil - clock.monotonic();
    this.#timer = clock.setTimer(left > 0 ? left : this.#patience(), () => this.review());
  }

  /** An answer that does not come is asked for again, sooner where not much time is left. */
  #patience(): number {
    const pem = this.#deps.certificate()?.cert;
    const left = pem === undefined ? Number.POSITIVE_INFINITY : expiryOf(pem) - this.#deps.clock.now();
    const wait = Math.min(this.#backoff.next(), left > 0 ? left / 4 : Number.POSITIVE_INFINITY);
    return Math.max(wait, shortestWaitMs);
  }

  /** The key that waits, or a fresh one: an answer that comes late still fits. */
  async #prepare(): Promise<CertificateRequestRecord> {
    const { settings, instanceUid, saveRequest } = this.#deps;
    const { keyType } = settings;
    const uid = instanceUid();
    const former = this.#request;
    if (former?.keyType === keyType && former.instanceUid === uid) return former;
    const key = await newPrivateKey(keyType);
    const pem = key.export({ type: "pkcs8", format: "pem" }).toString();
    const csr = signingRequest(createPrivateKey(pem), uid);
    const request = { key: pem, csr, keyType, instanceUid: uid };
    await saveRequest(request);
    this.#request = request;
    return request;
  }
}
