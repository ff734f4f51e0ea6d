import { hostname } from "node:os";
import type { Clock, Timer } from "../../foundation/clock.ts";
import { describeError } from "../../foundation/errors.ts";
import type { Logger } from "../../foundation/logger.ts";
import type { Database } from "../storage/database.ts";
import { databaseNow } from "../storage/database-time.ts";
import { takeRevisions } from "../storage/revisions.ts";

export interface MembershipOptions {
  database: Database;
  clock: Clock;
  log: Logger;
  replica: string;
  /** The others have taken this replica for dead: what it holds has to be written again. */
  onRevived: () => void;
  /** Replicas have died; what is stored says that their Agents are gone. */
  onDead: () => void;
}

const leaseMs = 15_000;
const extendEveryMs = 5_000;

/** Which replicas there are. Each extends a lease of its own, and buries those that do not any longer. */
export class Membership {
  readonly #options: MembershipOptions;
  #alive = new Set<string>();
  readonly #seen = new Set<string>();
  #timer: Timer | undefined;
  #working: Promise<void> = Promise.resolve();
  #joined = false;
  #closed = false;

  constructor(options: MembershipOptions) {
    this.#options = options;
    this.#alive.add(options.replica);
  }

  /** Joins; rejects when the database cannot be reached. */
  async start(): Promise<void> {
    await this.#beat();
    this.#schedule();
  }

  isAlive(replica: string): boolean {
    return this.#alive.has(replica);
  }

  /** The same, but one that has joined a moment ago counts. */
  mayBeAlive(replica: string): boolean {
    return this.#alive.has(replica) || !this.#seen.has(replica);
  }

  /** Leaves at once, instead of when the lease ends. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    await this.#working;
    const { database, replica } = this.#options;
    await database.query.deleteFrom("replicas").where("id", "=", replica).execute();
  }

  #schedule(): void {
    this.#timer = this.#options.clock.setTimer(extendEveryMs, () => {
      this.#working = this.#beat()
        .catch((error: unknown) => {
          const fields = { event: "membership_failed", error: describeError(error) };
          this.#options.log.warn(fields, "the other replicas could not be told that this one is alive");
        })
        .then(() => {
          if (!this.#closed) this.#schedule();
        });
    });
  }

  async #beat(): Promise<void> {
    const { clock, database, log, onDead, onRevived, replica } = this.#options;
    const { query } = database;
    const now = await databaseNow(database, query, clock);
    const { numUpdatedRows } = await query
      .updateTable("replicas")
      .set({ expires_at: now + leaseMs })
      .where("id", "=", replica)
      .executeTakeFirst();
    if (numUpdatedRows === 0n) {
      const row = { id: replica, host: hostname(), started_at: now, expires_at: now + leaseMs };
      await query.insertInto("replicas").values(row).execute();
      if (this.#joined) onRevived();
      this.#joined = true;
    }
    const dead = await this.#bury(now);
    for (const id of dead) {
      log.warn({ event: "replica_dead", replica: id }, "another server has died; its agents are gone");
    }
    const alive = await query.selectFrom("replicas").select("id").execute();
    this.#alive = new Set(alive.map(({ id }) => id));
    const left = [...this.#seen].filter((id) => !this.#alive.has(id));
    for (const id of this.#alive) this.#seen.add(id);
    if (dead.length > 0 || left.length > 0) onDead();
  }

  /** Of several replicas, one gets to delete a dead one and to say so of its Agents. */
  #bury(now: number): Promise<string[]> {
    return this.#options.database.transaction(async (transaction) => {
      const rows = await transaction
        .deleteFrom("replicas")
        .where("expires_at", "<", now)
        .returning("id")
        .execute();
      const dead = rows.map(({ id }) => id);
      if (dead.length === 0) return dead;
      const revision = await takeRevisions(transaction, "agents");
      await transaction
        .updateTable("agents")
        .set({ gone_since: now, gone_reason: "its server ended", revision })
        .where("replica", "in", dead)
        .where("gone_since", "is", null)
        .execute();
      return dead;
    });
  }
}
