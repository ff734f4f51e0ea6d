import type { Clock } from "../../foundation/clock.ts";
import type { Database } from "../storage/database.ts";
import { RolloutError } from "./rollout-error.ts";
import { parseStrategy } from "./strategy/parse-strategy.ts";
import { readyMadeStrategies } from "./strategy/ready-made.ts";
import type { Strategy } from "./strategy/strategy.ts";

export interface StrategiesOptions {
  database: Database;
  clock: Clock;
  /** Name of the one that is meant when none is named. */
  defaultName: string;
}

/** The strategies by name: the ready-made ones, and those of this server's own. */
export class Strategies {
  readonly #options: StrategiesOptions;

  constructor(options: StrategiesOptions) {
    this.#options = options;
  }

  /**
   * The one of that name; without a name the default.
   * @throws RolloutError when there is none.
   */
  async get(name = this.#options.defaultName): Promise<Strategy> {
    const all = await this.list();
    const found = all.find((each) => each.name === name);
    if (found !== undefined) return found;
    const known = all.map((each) => each.name).join(", ");
    throw new RolloutError("no-such-strategy", `there is no strategy ${name}; known are ${known}`);
  }

  async list(): Promise<Strategy[]> {
    const rows = await this.#options.database.query
      .selectFrom("rollout_strategies")
      .select("document")
      .orderBy("name")
      .execute();
    return [...readyMadeStrategies.values(), ...rows.map((row) => parseStrategy(JSON.parse(row.document)))];
  }

  /**
   * Keeps a strategy; one of that name is replaced for rollouts to come.
   * @throws StrategyError, RolloutError when the name is a ready-made one's
   */
  async put(document: unknown): Promise<Strategy> {
    const strategy = parseStrategy(document);
    const { name } = strategy;
    if (readyMadeStrategies.has(name)) {
      throw new RolloutError("not-now", `${name} is ready-made and stays as it is: take another name`);
    }
    const row = { updated_at: this.#options.clock.now(), document: JSON.stringify(strategy.document) };
    await this.#options.database.query
      .insertInto("rollout_strategies")
      .values({ name, ...row })
      .onConflict((conflict) => conflict.column("name").doUpdateSet(row))
      .execute();
    return strategy;
  }
}
