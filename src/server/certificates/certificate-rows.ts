import type { Selectable } from "kysely";
import type { Database } from "../storage/database.ts";
import type { CertificateTables } from "./tables.ts";

export type CertificateRow = Selectable<CertificateTables["certificates"]>;
export type CertificateRequestRow = Selectable<CertificateTables["certificate_requests"]>;

/** The columns that a new row begins without. */
const untouched = {
  used_at: null,
  last_seen_at: null,
  applied_at: null,
  failure: null,
  revoked_at: null,
  revoke_reason: null,
};

/** Certificates and requests in the database. */
export class CertificateRows {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async add(row: Omit<CertificateRow, keyof typeof untouched>): Promise<CertificateRow> {
    const whole = { ...row, ...untouched };
    await this.#database.query
      .insertInto("certificates")
      .values(whole)
      .onConflict((conflict) => conflict.column("fingerprint").doNothing())
      .execute();
    return whole;
  }

  async get(fingerprint: string): Promise<CertificateRow | undefined> {
    return await this.#certificates().where("fingerprint", "=", fingerprint).executeTakeFirst();
  }

  /** Those of a serial number, or the one of a fingerprint. */
  async named(serialOrFingerprint: string): Promise<CertificateRow[]> {
    return await this.#certificates()
      .where((where) =>
        where.or([where("serial", "=", serialOrFingerprint), where("fingerprint", "=", serialOrFingerprint)]),
      )
      .execute();
  }

  /** Of an Agent, newest first; those that are good at `now`. */
  async goodOf(instanceUid: string, now: number): Promise<CertificateRow[]> {
    return await this.#certificates()
      .where("instance_uid", "=", instanceUid)
      .where("revoked_at", "is", null)
      .where("expires_at", ">", now)
      .orderBy("created_at", "desc")
      .execute();
  }

  /** All, soonest to end first; those that ended before `since` are left out. */
  async list(since: number): Promise<CertificateRow[]> {
    return await this.#certificates()
      .where("expires_at", ">=", since)
      .orderBy("expires_at")
      .orderBy("fingerprint")
      .execute();
  }

  /** Good, and at their end between the two times. */
  async ending(from: number, to: number): Promise<CertificateRow[]> {
    return await this.#certificates()
      .where("revoked_at", "is", null)
      .where("expires_at", ">", from)
      .where("expires_at", "<=", to)
      .execute();
  }

  async revokedSince(time: number): Promise<string[]> {
    const rows = await this.#database.query
      .selectFrom("certificates")
      .select("fingerprint")
      .where("revoked_at", ">=", time)
      .execute();
    return rows.map(({ fingerprint }) => fingerprint);
  }

  async update(
    fingerprint: string,
    changes: Partial<Pick<CertificateRow, keyof typeof untouched>>,
  ): Promise<void> {
    await this.#database.query
      .updateTable("certificates")
      .set(changes)
      .where("fingerprint", "=", fingerprint)
      .execute();
  }

  async addRequest(row: CertificateRequestRow): Promise<void> {
    await this.#database.transaction(async (transaction) => {
      await transaction
        .deleteFrom("certificate_requests")
        .where("instance_uid", "=", row.instance_uid)
        .where("state", "=", "pending")
        .execute();
      await transaction.insertInto("certificate_requests").values(row).execute();
    });
  }

  async request(id: string): Promise<CertificateRequestRow | undefined> {
    return await this.#requests().where("id", "=", id).executeTakeFirst();
  }

  /** The last request of an Agent with that text. */
  async requestOf(instanceUid: string, csrHash: string): Promise<CertificateRequestRow | undefined> {
    return await this.#requests()
      .where("instance_uid", "=", instanceUid)
      .where("csr_hash", "=", csrHash)
      .orderBy("requested_at", "desc")
      .executeTakeFirst();
  }

  async requests(state: CertificateRequestRow["state"]): Promise<CertificateRequestRow[]> {
    return await this.#requests().where("state", "=", state).orderBy("requested_at").limit(1000).execute();
  }

  async countPending(): Promise<number> {
    const { count } = await this.#database.query
      .selectFrom("certificate_requests")
      .select(({ fn }) => fn.countAll().as("count"))
      .where("state", "=", "pending")
      .executeTakeFirstOrThrow();
    return Number(count);
  }

  /** False when somebody else has decided already. */
  async decide(
    id: string,
    decision: Pick<CertificateRequestRow, "state" | "decided_at" | "decided_by" | "reason">,
  ): Promise<boolean> {
    const { numUpdatedRows } = await this.#database.query
      .updateTable("certificate_requests")
      .set(decision)
      .where("id", "=", id)
      .where("state", "=", "pending")
      .executeTakeFirst();
    return numUpdatedRows > 0n;
  }

  #certificates() {
    return this.#database.query.selectFrom("certificates").selectAll();
  }

  #requests() {
    return this.#database.query.selectFrom("certificate_requests").selectAll();
  }
}
