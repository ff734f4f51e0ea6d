import type { Transaction } from "kysely";
import type { Clock, Timer } from "../../foundation/clock.ts";
import { describeError } from "../../foundation/errors.ts";
import type { Logger } from "../../foundation/logger.ts";
import type { Database } from "../storage/database.ts";
import { databaseNow } from "../storage/database-time.ts";
import type { Tables } from "../storage/tables.ts";

export interface LeadershipOptions {
  database: Database;
  clock: Clock;
  log: Logger;
  /** Id of this replica. */
  replica: string;
  /** What is led, for example `rollouts`. */
  name: string;
  /** Called when this replica begins or ceases to lead. */
  onChange?: (leads: boolean) => void;
}

/** Another replica leads by now: what was to be written is not. */
export class LeadershipLostError extends Error {
  override readonly name = "LeadershipLostError";
}

const leaseMs = 15_000;
const extendEveryMs = 5_000;
/** By which this replica ceases to lead before another can begin to. */
const marginMs = 2_000;

/**
 * A lease that one replica at a time holds. `isLeader` says whether to begin something; what is written has to
 * ask `assertLeader` in the same transaction, for a process can be held up for longer than any lease.
 */
export class Leadership {
  readonly #options: LeadershipOptions;
  /** Until when, on the monotonic clock, and under which number. */
  #held: { until: number; fence: number } | undefined;
  #led = false;
  #timer: Timer | undefined;
  #working: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(options: LeadershipOptions) {
    this.#options = options;
  }

  /** Tries to lead from now on; resolves after the first try. */
  async start(): Promise<void> {
    await this.#run();
  }

  isLeader(): boolean {
    return this.#held !== undefined && this.#options.clock.monotonic() < this.#held.until;
  }

  /** Grows each time another replica begins to lead; undefined while this one does not. */
  get fence(): number | undefined {
    return this.isLeader() ? this.#held?.fence : undefined;
  }

  /**
   * Holds the lease until the transaction ends, so that nobody else can begin to lead before.
   * @throws LeadershipLostError when another replica leads, or none does
   */
  async assertLeader(transaction: Transaction<Tables>): Promise<void> {
    const { name, replica } = this.#options;
    const fence = this.#held?.fence ?? -1;
    const { numUpdatedRows } = await transaction
      .updateTable("leases")
      .set({ fence })
      .where("name", "=", name)
      .where("holder", "=", replica)
      .where("fence", "=", fence)
      .executeTakeFirst();
    if (numUpdatedRows === 0n) throw new LeadershipLostError(`another replica leads ${name} by now`);
  }

  /** Lets another replica lead at once. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    await this.#working;
    if (this.#held === undefined) return;
    const { database, name, replica } = this.#options;
    this.#held = undefined;
    await database.query
      .updateTable("leases")
      .set({ expires_at: 0 })
      .where("name", "=", name)
      .where("holder", "=", replica)
      .execute();
  }

  #run(): Promise<void> {
    this.#working = this.#extend()
      .catch((error: unknown) => {
        const fields = { event: "lease_failed", lease: this.#options.name, error: describeError(error) };
        this.#options.log.warn(fields, "the lease could not be extended");
      })
      .then(() => {
        this.#tell();
        if (this.#closed) return;
        this.#timer = this.#options.clock.setTimer(extendEveryMs, () => void this.#run());
      });
    return this.#working;
  }

  async #extend(): Promise<void> {
    const { clock, database, name, replica } = this.#options;
    const asked = clock.monotonic();
    const fence = await database.transaction(async (transaction) => {
      const now = await databaseNow(database, transaction, clock);
      await transaction
        .insertInto("leases")
        .values({ name, holder: "", fence: 0, expires_at: 0 })
        .onConflict((conflict) => conflict.column("name").doNothing())
        .execute();
      const taken = await transaction
        .updateTable("leases")
        .set((row) => ({
          expires_at: now + leaseMs,
          fence: row
            .case()
            .when("holder", "=", replica)
            .then(row.ref("fence"))
            .else(row("fence", "+", 1))
            .end(),
          holder: replica,
        }))
        .where("name", "=", name)
        .where((row) => row.or([row("holder", "=", replica), row("expires_at", "<", now)]))
        .returning("fence")
        .executeTakeFirst();
      return taken?.fence;
    });
    this.#held = fence === undefined ? undefined : { until: asked + leaseMs - marginMs, fence };
  }

  #tell(): void {
    const { log, name, onChange } = this.#options;
    const leads = this.isLeader();
    if (leads === this.#led) return;
    this.#led = leads;
    const fields = { event: leads ? "leadership_gained" : "leadership_lost", lease: name };
    log.info(fields, leads ? "this server leads now" : "this server does not lead any longer");
    onChange?.(leads);
  }
}
