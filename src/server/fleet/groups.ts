import type { Clock } from "../../foundation/clock.ts";
import { parseSelector, type Selectable, type Selector } from "../../opamp/selector.ts";
import type { ServerEvents } from "../events.ts";
import type { Database } from "../storage/database.ts";

/** Agents that are spoken of by one name. */
export interface Group {
  readonly name: string;
  readonly selector: Selector;
  /** Of several groups that pick an Agent, the one with the highest is its group. */
  readonly priority: number;
  readonly description: string;
  /** Milliseconds since the Unix epoch. */
  readonly createdAt: number;
  readonly updatedAt: number;
}

export interface GroupsOptions {
  database: Database;
  clock: Clock;
  events: ServerEvents;
}

/** The groups, kept in the database; in memory too, in the order of their priority. */
export class Groups {
  readonly #options: GroupsOptions;
  #groups: readonly Group[] = [];

  private constructor(options: GroupsOptions) {
    this.#options = options;
  }

  static async open(options: GroupsOptions): Promise<Groups> {
    const groups = new Groups(options);
    await groups.refresh();
    return groups;
  }

  /** Highest priority first, then by name. */
  list(): readonly Group[] {
    return this.#groups;
  }

  get(name: string): Group | undefined {
    return this.#groups.find((group) => group.name === name);
  }

  /** The group of an Agent: every Agent is in one at most. */
  of(agent: Selectable): Group | undefined {
    return this.#groups.find(({ selector }) => selector.matches(agent));
  }

  /** Makes a group, or another one of it. */
  async put(
    name: string,
    { selector, priority, description }: Pick<Group, "selector" | "priority" | "description">,
  ): Promise<Group> {
    const now = this.#options.clock.now();
    const values = { selector: selector.text, priority, description, updated_at: now };
    const createdAt = this.get(name)?.createdAt ?? now;
    await this.#options.database.query
      .insertInto("agent_groups")
      .values({ name, ...values, created_at: now })
      .onConflict((conflict) => conflict.column("name").doUpdateSet(values))
      .execute();
    await this.#changed(name);
    return { name, selector, priority, description, createdAt, updatedAt: now };
  }

  /** Resolves to false when there was none. */
  async remove(name: string): Promise<boolean> {
    const { database } = this.#options;
    const { numDeletedRows } = await database.query
      .deleteFrom("agent_groups")
      .where("name", "=", name)
      .executeTakeFirst();
    if (numDeletedRows === 0n) return false;
    await this.#changed(name);
    return true;
  }

  /** Takes over what was written, by this replica or another. */
  async refresh(): Promise<void> {
    const rows = await this.#options.database.query.selectFrom("agent_groups").selectAll().execute();
    this.#groups = rows
      .map(
        (row): Group => ({
          name: row.name,
          selector: parseSelector(row.selector),
          priority: row.priority,
          description: row.description,
          createdAt: row.created_at,
          updatedAt: row.updated_at,
        }),
      )
      .sort((a, b) => b.priority - a.priority || (a.name < b.name ? -1 : 1));
  }

  async #changed(name: string): Promise<void> {
    await this.refresh();
    this.#options.events.publish({ type: "group.changed", group: name });
  }
}
