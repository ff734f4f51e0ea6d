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

  applying({ hash }: OfferId): void {
    this.#set(hash, applying, "");
  }

  /** They work and count from now on, also after a restart. */
  async keep(overrides: Overrides, offer: OfferId, basis: string): Promise<void> {
    this.#fallenBack = false;
    this.#record = { kept: { overrides, offer, basis }, verdict: this.#verdict(offer, undefined) };
    await this.#deps.save(this.#record);
  }

  /** Tells the server that the newest offer that was kept is in use. */
  reportKept(): void {
    if (this.#record.verdict !== null) this.#report(this.#record.verdict);
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
