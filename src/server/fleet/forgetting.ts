import type { Clock, Timer } from "../../foundation/clock.ts";
import { describeError } from "../../foundation/errors.ts";
import type { Logger } from "../../foundation/logger.ts";
import type { Database } from "../storage/database.ts";
import type { Fleet } from "./fleet.ts";

export interface ForgettingOptions {
  fleet: Fleet;
  database: Database;
  clock: Clock;
  log: Logger;
  /** How long an Agent stays known after it was last connected. */
  afterMs: number;
}

const everyMs = 60 * 60 * 1000;
const atATime = 500;

/** Forgets Agents that are gone for long. What operators said of them stays. */
export class Forgetting {
  readonly #options: ForgettingOptions;
  #timer: Timer | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(options: ForgettingOptions) {
    this.#options = options;
    this.#run();
  }

  async close(): Promise<void> {
    this.#timer?.cancel();
    await this.#running;
  }

  #run(): void {
    this.#timer = this.#options.clock.setTimer(everyMs, () => this.#run());
    this.#running = this.#forget().catch((error: unknown) => {
      const fields = { event: "forgetting_failed", error: describeError(error) };
      this.#options.log.error(fields, "agents that are gone for long could not be forgotten");
    });
  }

  async #forget(): Promise<void> {
    const { afterMs, clock, database, fleet, log } = this.#options;
    const before = clock.now() - afterMs;
    const isOver = (id: string) => {
      const presence = fleet.get(id)?.presence;
      return presence?.t === "gone" && presence.since < before;
    };
    const over = fleet.list().flatMap(({ id }) => (isOver(id) ? [id] : []));
    for (let start = 0; start < over.length; start += atATime) {
      const ids = over.slice(start, start + atATime);
      await database.transaction(async (transaction) => {
        // It may have come back to another replica.
        const deleted = await transaction
          .deleteFrom("agents")
          .where("uid", "in", ids)
          .where("gone_since", "<", before)
          .returning("uid")
          .execute();
        const uids = deleted.map(({ uid }) => uid);
        if (uids.length === 0) return;
        for (const table of ["agent_contacts", "agent_documents", "offers"] as const) {
          await transaction.deleteFrom(table).where("uid", "in", uids).execute();
        }
      });
      for (const id of ids) if (isOver(id)) fleet.forget(id);
    }
    if (over.length > 0) log.info({ event: "agents_forgotten", count: over.length }, "agents forgotten");
  }
}
