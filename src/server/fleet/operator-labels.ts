import type { Database } from "../storage/database.ts";
import type { Labels } from "./labels.ts";

/** The labels that operators gave to Agents, kept in the database; in memory too, for every report asks for them. */
export class OperatorLabels {
  readonly #database: Pick<Database, "query" | "transaction">;
  #byAgent = new Map<string, Labels>();

  private constructor(database: Pick<Database, "query" | "transaction">) {
    this.#database = database;
  }

  static async open(database: Pick<Database, "query" | "transaction">): Promise<OperatorLabels> {
    const labels = new OperatorLabels(database);
    await labels.refresh();
    return labels;
  }

  /** Those of one Agent; also of one that was forgotten and comes back. */
  get(id: string): Labels {
    return this.#byAgent.get(id) ?? none;
  }

  /** Makes these the labels of an Agent, and no others. */
  async replace(id: string, labels: Labels): Promise<void> {
    const rows = Object.entries(labels).map(([name, value]) => ({ uid: id, name, value }));
    await this.#database.transaction(async (transaction) => {
      await transaction.deleteFrom("agent_labels").where("uid", "=", id).execute();
      if (rows.length > 0) await transaction.insertInto("agent_labels").values(rows).execute();
    });
    this.#byAgent.set(id, labels);
  }

  /** Takes over what was written, by this replica or another; resolves to the Agents whose labels are others now. */
  async refresh(): Promise<string[]> {
    const rows = await this.#database.query
      .selectFrom("agent_labels")
      .selectAll()
      .orderBy("uid")
      .orderBy("name")
      .execute();
    const before = this.#byAgent;
    this.#byAgent = new Map(
      [...Map.groupBy(rows, ({ uid }) => uid)].map(([uid, each]) => [
        uid,
        Object.fromEntries(each.map(({ name, value }) => [name, value])),
      ]),
    );
    const ids = new Set([...before.keys(), ...this.#byAgent.keys()]);
    return [...ids].filter((id) => !sameLabels(before.get(id) ?? none, this.get(id)));
  }
}

const none: Labels = {};

/**
 * What selectors look at: an Agent's own labels, and the operators' besides. An operator says more of an Agent, and
 * never another thing than it says of itself.
 */
export function withOperatorLabels(own: Labels, operators: Labels): Labels {
  return operators === none ? own : { ...operators, ...own };
}

function sameLabels(a: Labels, b: Labels): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}
