import { create } from "@bufbuild/protobuf";
import type { Clock } from "../../foundation/clock.ts";
import type { ReportedState } from "../../opamp/agent/reported-state.ts";
import { ConnectionSettingsStatuses, ConnectionSettingsStatusSchema } from "../../opamp/messages.ts";
import type { ConnectionRecord, OfferId, OfferVerdict, Overrides } from "../connection/connection-record.ts";
import type { Failure } from "./change.ts";

const {
  ConnectionSettingsStatuses_APPLIED: applied,
  ConnectionSettingsStatuses_APPLYING: applying,
  ConnectionSettingsStatuses_FAILED: failed,
} = ConnectionSettingsStatuses;

/** A status that was said is not said again sooner: some servers offer in every answer (AT5). Milliseconds. */
const repeatAfterMs = 10_000;
/** What failed through no fault of its own is tried again when it is offered again later than this. Milliseconds. */
const retryAfterMs = 10 * 60_000;

interface ConnectionBookDeps {
  state: ReportedState;
  clock: Clock;
  /** Writes it down; must not reject. */
  save(record: ConnectionRecord): Promise<unknown>;
}

/** Which connection settings were kept, and what the server is told of its newest offer (AN18). */
export class ConnectionBook {
  readonly #deps: ConnectionBookDeps;
  #record: ConnectionRecord;
  #reportedAt: number;
  /** Kept settings that do not work at this time: those of supervisor.yaml stand in. */
  #fallenBack = false;
  /** Hash of the newest offer that had settings for this connection, with or without others. */
  #offered: string | undefined;
  /** Where own telemetry is to go, by the same or another offer: the road of configurations decides about it. */
  #telemetry: { hash: string; state: "pending" | "kept" | Failure } | undefined;

  constructor(record: ConnectionRecord, deps: ConnectionBookDeps) {
    this.#record = record;
    this.#deps = deps;
    this.#reportedAt = deps.clock.monotonic();
    if (record.verdict !== null) this.#report(record.verdict);
  }

  /** Over supervisor.yaml, as they are in use. */
  get inUse(): Overrides {
    return this.#fallenBack ? {} : (this.#record.kept?.overrides ?? {});
  }

  get record(): ConnectionRecord {
    return this.#record;
  }

  get kept(): ConnectionRecord["kept"] {
    return this.#record.kept;
  }

  get fallenBack(): boolean {
    return this.#fallenBack;
  }

  /** Whether this offer was judged already, and is not to be tried again now. */
  isSettled(offer: OfferId): boolean {
    const { verdict } = this.#record;
    if (verdict?.offer.key !== offer.key) return false;
    const mayRetry = verdict.outcome === "failed" && !verdict.ownFault;
    return !mayRetry || this.#deps.clock.now() - verdict.at < retryAfterMs;
  }

  offered({ hash }: OfferId): void {
    this.#offered = hash;
  }

  /** The status is of an offer as a whole, so that own telemetry has a part in it (AN16). */
  telemetryOffered(hash: string): void {
    this.#telemetry = { hash, state: "pending" };
    const isKnown = this.#offered === hash || this.#record.verdict?.offer.hash === hash;
    if (!isKnown) this.#set(hash, applying, "");
  }

  async telemetrySettled(hash: string, failure: Failure | undefined): Promise<void> {
    if (this.#telemetry?.hash !== hash) return;
    this.#telemetry.state = failure ?? "kept";
    const { verdict } = this.#record;
    const isOther = verdict?.offer.hash !== hash;
    // The rest of the same offer is not decided yet, or has failed for another reason.
    if (isOther ? this.#offered === hash : verdict.outcome === "failed" && failure === undefined) return;
    const offer = isOther ? { hash, key: hash } : verdict.offer;
    this.#record = { ...this.#record, verdict: this.#verdict(offer, failure) };
    await this.#deps.save(this.#record);
    this.reportKept();
  }

  applying({ hash }: OfferId): void {
    this.#set(hash, applying, "");
  }

  /** They work and count from now on, also after a restart. */
  async keep(overrides: Overrides, offer: OfferId, basis: string): Promise<void> {
    this.#fallenBack = false;
    const telemetry = this.#telemetry?.hash === offer.hash ? this.#telemetry.state : "kept";
    const failure = typeof telemetry === "string" ? undefined : telemetry;
    this.#record = { kept: { overrides, offer, basis }, verdict: this.#verdict(offer, failure) };
    await this.#deps.save(this.#record);
  }

  /** Tells the server what became of the offer that was kept last, unless a part of it is still under way. */
  reportKept(): void {
    const { verdict } = this.#record;
    const waits = this.#telemetry?.state === "pending" && this.#telemetry.hash === verdict?.offer.hash;
    if (verdict !== null && !waits) this.#report(verdict);
  }

  async refuse(offer: OfferId, failure: Failure): Promise<void> {
    const verdict = this.#verdict(offer, failure);
    this.#record = { ...this.#record, verdict };
    await this.#deps.save(this.#record);
    this.#report(verdict);
  }

  /** Says the verdict once more: a server that offers again may not know it. */
  repeat(): void {
    const { verdict } = this.#record;
    const now = this.#deps.clock.monotonic();
    if (verdict === null || now - this.#reportedAt < repeatAfterMs) return;
    // What is equal to the last report is not sent.
    this.#set(verdict.offer.hash, applying, "");
    this.#report(verdict);
  }

  /** The settings of supervisor.yaml stand in for those kept; what was said of these is corrected. */
  async fallBack(reason: string): Promise<void> {
    this.#fallenBack = true;
    const { kept, verdict } = this.#record;
    if (kept === null || verdict?.offer.key !== kept.offer.key) return;
    await this.refuse(kept.offer, { fault: "own", reason });
  }

  /** The kept settings work again. */
  async restore(): Promise<void> {
    const { kept, verdict } = this.#record;
    this.#fallenBack = false;
    if (kept === null || verdict?.offer.key !== kept.offer.key) return;
    await this.keep(kept.overrides, kept.offer, kept.basis);
    this.reportKept();
  }

  #verdict(offer: OfferId, failure: Failure | undefined): OfferVerdict {
    return {
      offer,
      outcome: failure === undefined ? "applied" : "failed",
      reason: failure?.reason ?? "",
      ownFault: failure?.fault === "own",
      at: this.#deps.clock.now(),
    };
  }

  #report({ offer, outcome, reason }: OfferVerdict): void {
    this.#reportedAt = this.#deps.clock.monotonic();
    this.#set(offer.hash, outcome === "applied" ? applied : failed, reason);
  }

  #set(hash: string, status: ConnectionSettingsStatuses, errorMessage: string): void {
    const lastConnectionSettingsHash = new Uint8Array(Buffer.from(hash, "hex"));
    this.#deps.state.set(
      "connectionSettingsStatus",
      create(ConnectionSettingsStatusSchema, { lastConnectionSettingsHash, status, errorMessage }),
    );
  }
}
