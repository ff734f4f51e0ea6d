import type { Clock, Timer } from "../../foundation/clock.ts";
import { describeError } from "../../foundation/errors.ts";
import type { Logger } from "../../foundation/logger.ts";
import { AgentCapability, hasBits } from "../../opamp/bits.ts";
import type { ServerEvents } from "../events.ts";
import type { Fleet } from "../fleet/fleet.ts";
import type { CertificateRow, CertificateRows } from "./certificate-rows.ts";
import type { Certificates } from "./certificates.ts";
import type { Issuing } from "./issuing.ts";
import { isEnding } from "./standing.ts";

export interface UpkeepOptions {
  rows: CertificateRows;
  /** Undefined: what ends is told, and cannot be renewed here. */
  issuing: Issuing | undefined;
  certificates: Pick<Certificates, "deliver">;
  fleet: Pick<Fleet, "get">;
  renewBeforeMs: number;
  cut: (fingerprint: string) => void;
  clock: Clock;
  log: Logger;
  events: ServerEvents;
}

/** How soon a revocation by another server reaches the connections of this one. */
const sweepEveryMs = 4_000;
/** Clocks of servers differ, and a revocation may be committed late. */
const overlapMs = 60_000;
const reviewEveryMs = 60 * 60_000;
const askEveryMs = 24 * 60 * 60_000;

/** Looks after certificates that nobody asks about: offers new ones in time, and cuts what others revoked. */
export class CertificateUpkeep {
  readonly #options: UpkeepOptions;
  /** When each was last seen to, on the monotonic clock. */
  readonly #asked = new Map<string, number>();
  #timer: Timer | undefined;
  #running: Promise<void> = Promise.resolve();
  #reviewAt = Number.NEGATIVE_INFINITY;
  #sweptAt: number;
  #closed = false;

  constructor(options: UpkeepOptions) {
    this.#options = options;
    this.#sweptAt = options.clock.now();
    this.#wait();
  }

  /** Waits for what is under way. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    await this.#running;
  }

  #wait(): void {
    this.#timer = this.#options.clock.setTimer(sweepEveryMs, () => {
      this.#running = this.#look().then(() => {
        if (!this.#closed) this.#wait();
      });
    });
  }

  async #look(): Promise<void> {
    const { clock, log } = this.#options;
    try {
      await this.#sweep();
      if (clock.monotonic() < this.#reviewAt) return;
      this.#reviewAt = clock.monotonic() + reviewEveryMs;
      await this.#review();
    } catch (error) {
      log.error({ event: "certificate_upkeep_failed", error: describeError(error) }, "is tried again");
    }
  }

  async #sweep(): Promise<void> {
    const { rows, clock, cut } = this.#options;
    const now = clock.now();
    for (const fingerprint of await rows.revokedSince(this.#sweptAt - overlapMs)) cut(fingerprint);
    this.#sweptAt = now;
  }

  async #review(): Promise<void> {
    const { rows, clock, renewBeforeMs } = this.#options;
    const now = clock.now();
    for (const row of await rows.ending(now, now + renewBeforeMs)) {
      const asked = this.#asked.get(row.fingerprint) ?? Number.NEGATIVE_INFINITY;
      if (isEnding(row, now, renewBeforeMs) && !this.#closed && clock.monotonic() - asked >= askEveryMs)
        await this.#remind(row, now);
    }
  }

  async #remind(row: CertificateRow, now: number): Promise<void> {
    const { rows, clock, log, events } = this.#options;
    const uid = row.instance_uid;
    // The server that holds its connection sees to it.
    if (uid !== null && this.#options.fleet.get(uid)?.presence.t === "elsewhere") return;
    const others = uid === null ? [] : await rows.goodOf(uid, now);
    const newer = others.find(({ created_at }) => created_at > row.created_at);
    // Used, it will have this one revoked as soon as its Agent says that it keeps it.
    if (newer !== undefined && newer.used_at !== null) return;
    this.#asked.set(row.fingerprint, clock.monotonic());
    const expires_at = new Date(row.expires_at).toISOString();
    events.publish({ type: "certificate.expiring", agent_id: uid, serial: row.serial, expires_at });
    const offered = uid !== null && (await this.#offer(uid, row, newer));
    log.warn(
      { event: "certificate_expiring", agent_id: uid ?? undefined, serial: row.serial, expires_at, offered },
      offered ? "a certificate ends soon: its agent is offered a new one" : "a certificate ends soon",
    );
  }

  async #offer(uid: string, row: CertificateRow, newer: CertificateRow | undefined): Promise<boolean> {
    const { certificates, fleet, issuing } = this.#options;
    const agent = fleet.get(uid);
    if (agent === undefined || agent.presence.t === "gone" || issuing === undefined) return false;
    if (!hasBits(agent.state.capabilities, AgentCapability.AcceptsOpAMPConnectionSettings)) return false;
    if (newer !== undefined && newer.pem !== null) {
      certificates.deliver(uid, { ...newer, pem: newer.pem });
      return true;
    }
    const renewed = await issuing.renew(row);
    if (renewed.t !== "issued") return false;
    certificates.deliver(uid, renewed.certificate);
    return true;
  }
}
