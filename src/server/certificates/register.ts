import type { Clock } from "../../foundation/clock.ts";
import { toHex } from "../../foundation/hex.ts";
import type { Logger } from "../../foundation/logger.ts";
import { type ConnectionSettingsStatus, ConnectionSettingsStatuses } from "../../opamp/messages.ts";
import type { AgentIdentity } from "../access/agents.ts";
import type { ServerEvents } from "../events.ts";
import type { CertificateRow, CertificateRows } from "./certificate-rows.ts";

export interface RegisterOptions {
  rows: CertificateRows;
  clock: Clock;
  log: Logger;
  events: ServerEvents;
  /** Closes what a credential opened here. */
  cut: (fingerprint: string) => void;
}

/** How coarse the last time is at which a certificate was seen; and how long one is used until its Agent is believed to keep it. */
const noteEveryMs = 3_600_000;

/** Knows every certificate that Agents have or had: which are used, until when, and which count no longer (SN4, SN10). */
export class CertificateRegister {
  readonly #options: RegisterOptions;
  /** When the use of each was noted last, on the monotonic clock. */
  readonly #noted = new Map<string, number>();

  constructor(options: RegisterOptions) {
    this.#options = options;
  }

  /** Whether it counts no longer. Asks the database, since another server may have revoked it. */
  async isRevoked(fingerprint: string): Promise<boolean> {
    const row = await this.#options.rows.get(fingerprint);
    return row !== undefined && row.revoked_at !== null;
  }

  /** An Agent spoke over a connection with a certificate. */
  async spoke({ certificate, credential, uid }: AgentIdentity): Promise<void> {
    if (certificate === undefined || credential === undefined) return;
    const { rows, clock } = this.#options;
    const noted = this.#noted.get(credential);
    if (noted !== undefined && clock.monotonic() - noted < noteEveryMs) return;
    this.#noted.set(credential, clock.monotonic());
    const now = clock.now();
    const row =
      (await rows.get(credential)) ??
      (await rows.add({
        fingerprint: credential,
        serial: certificate.serial,
        instance_uid: uid ?? null,
        origin: "seen",
        request_hash: null,
        pem: null,
        created_at: now,
        expires_at: certificate.expiresAt,
      }));
    const used = row.used_at ?? now;
    await rows.update(credential, { used_at: used, last_seen_at: now });
    const isKept = row.applied_at !== null || now - used >= noteEveryMs;
    if (row.origin === "issued" && isKept) await this.#revokeFormer(row);
  }

  /** An Agent says what it makes of an offer; the hash of one that brings a certificate is its fingerprint. */
  async answered(instanceUid: string, status: ConnectionSettingsStatus): Promise<void> {
    const { rows, clock, log } = this.#options;
    const row = await rows.get(toHex(status.lastConnectionSettingsHash));
    if (row?.instance_uid !== instanceUid) return;
    if (status.status === ConnectionSettingsStatuses.ConnectionSettingsStatuses_APPLIED) {
      await rows.update(row.fingerprint, { applied_at: row.applied_at ?? clock.now(), failure: null });
      // Only what has been used is proven: until then the one before it is the way back.
      if (row.used_at !== null) await this.#revokeFormer(row);
    }
    if (status.status === ConnectionSettingsStatuses.ConnectionSettingsStatuses_FAILED) {
      const failure =
        status.errorMessage === "" ? "the agent gave no reason" : status.errorMessage.slice(0, 1000);
      await rows.update(row.fingerprint, { failure });
      log.warn(
        { event: "certificate_failed", agent_id: instanceUid, serial: row.serial, failure },
        "not taken",
      );
    }
  }

  /** Ends a certificate at once, with every connection it opened here. */
  async revoke({ fingerprint, serial, instance_uid }: CertificateRow, reason: string): Promise<void> {
    const { rows, clock, cut, log, events } = this.#options;
    await rows.update(fingerprint, { revoked_at: clock.now(), revoke_reason: reason });
    cut(fingerprint);
    log.info(
      { event: "certificate_revoked", agent_id: instance_uid ?? undefined, serial, reason },
      "a certificate counts no longer",
    );
    events.publish({ type: "certificate.revoked", agent_id: instance_uid, serial, reason });
  }

  async #revokeFormer(row: CertificateRow): Promise<void> {
    const { rows, clock } = this.#options;
    for (const former of await rows.goodOf(row.instance_uid ?? "", clock.now())) {
      if (former.origin !== "issued" || former.created_at >= row.created_at) continue;
      await this.revoke(former, `replaced by ${row.serial}`);
    }
  }
}
