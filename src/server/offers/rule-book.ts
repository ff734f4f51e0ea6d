import type { Clock } from "../../foundation/clock.ts";
import { parseSelector, type Selectable } from "../../opamp/selector.ts";
import type { OfferKind } from "../fleet/agent.ts";
import type { Database } from "../storage/database.ts";
import { StorageError } from "../storage/storage-error.ts";
import type { Tables } from "../storage/tables.ts";
import { contents, offerKinds } from "./contents.ts";
import type { NewRule, Offered, Reach, Rule } from "./rule.ts";
import { insertRules, withdrawRules } from "./rule-rows.ts";

export interface RuleBookOptions {
  database: Database;
  clock: Clock;
  reach: Reach;
  /** Called when this replica has written rules. */
  onWritten: () => void;
}

/** What is to run, kept in the database; the active rules are in memory too, for every message asks for them. */
export class RuleBook {
  readonly #options: RuleBookOptions;
  /** Newest first. */
  readonly #rules = new Map<OfferKind, readonly Rule[]>(offerKinds.map((kind) => [kind, []]));
  #revision = 0;
  #refreshing: Promise<unknown> = Promise.resolve();

  private constructor(options: RuleBookOptions) {
    this.#options = options;
  }

  /** Reads the rules that are active. */
  static async open(options: RuleBookOptions): Promise<RuleBook> {
    const book = new RuleBook(options);
    await book.refresh();
    return book;
  }

  /** The rule that an Agent is to follow, or undefined when nothing is to run on it. */
  newestFor<Kind extends OfferKind>(kind: Kind, agent: Selectable): Rule<Offered[Kind]> | undefined {
    return this.#rules.get(kind)?.find((rule) => this.#applies(rule, agent)) as
      | Rule<Offered[Kind]>
      | undefined;
  }

  /** All rules that apply to an Agent, newest first: what it is to follow, and what it would fall to. */
  allFor(kind: OfferKind, agent: Selectable): Rule[] {
    return this.#rules.get(kind)?.filter((rule) => this.#applies(rule, agent)) ?? [];
  }

  /** The rules of a kind, newest first. */
  active<Kind extends OfferKind>(kind: Kind): readonly Rule<Offered[Kind]>[] {
    return (this.#rules.get(kind) ?? []) as readonly Rule<Offered[Kind]>[];
  }

  /**
   * Writes rules, all or none, and returns their numbers. They are followed once this resolves; nothing is
   * offered by it.
   */
  async issue(rules: readonly NewRule[]): Promise<number[]> {
    const { clock, database } = this.#options;
    const numbers = await database.transaction((transaction) => insertRules(transaction, rules, clock.now()));
    await this.written();
    return numbers;
  }

  /** Ends rules: the Agents that followed them fall to the rule below. */
  async withdraw(numbers: readonly number[]): Promise<void> {
    const { clock, database } = this.#options;
    await database.transaction((transaction) => withdrawRules(transaction, numbers, clock.now()));
    await this.written();
  }

  /** After rules were written by `insertRules` and its like: follows them here and has the other replicas follow. */
  async written(): Promise<ReadonlySet<OfferKind>> {
    const kinds = await this.refresh();
    this.#options.onWritten();
    return kinds;
  }

  /** Takes over what was written since, by this replica or another; resolves to the kinds that changed. */
  refresh(): Promise<ReadonlySet<OfferKind>> {
    const refreshed = this.#refreshing.then(() => this.#readChanges());
    // The next one tries again; who asked for this one hears of its failure.
    this.#refreshing = refreshed.catch(() => undefined);
    return refreshed;
  }

  #applies({ rolloutId, selector }: Rule, agent: Selectable): boolean {
    return (
      selector.matches(agent) && (rolloutId === undefined || this.#options.reach.includes(rolloutId, agent))
    );
  }

  async #readChanges(): Promise<ReadonlySet<OfferKind>> {
    const { query } = this.#options.database;
    const rows = await query
      .selectFrom("rules")
      .selectAll()
      .where("revision", ">", this.#revision)
      .orderBy("number", "desc")
      .execute();
    const changed = new Set(rows.map(({ number }) => number));
    const added: { kind: OfferKind; rule: Rule }[] = [];
    for (const row of rows) {
      if (row.state !== "active") continue;
      const kind = kindOf(row);
      const known = [...(this.#rules.get(kind) ?? []), ...added.map(({ rule }) => rule)];
      added.push({ kind, rule: await this.#toRule(kind, row, known) });
    }
    const kinds = new Set(rows.map(kindOf));
    for (const kind of kinds) {
      const kept = (this.#rules.get(kind) ?? []).filter(({ number }) => !changed.has(number));
      const fresh = added.filter((each) => each.kind === kind).map(({ rule }) => rule);
      this.#rules.set(
        kind,
        [...kept, ...fresh].sort((a, b) => b.number - a.number),
      );
    }
    this.#revision = Math.max(this.#revision, ...rows.map(({ revision }) => revision));
    return kinds;
  }

  async #toRule(kind: OfferKind, row: RuleRow, known: readonly Rule[]): Promise<Rule> {
    const { bundle, number, rollout_id, selector, what } = row;
    // The same content is in memory once, however many rules name it.
    const held = known.find(({ desired }) => desired.hashHex === what)?.desired;
    const desired = held ?? (await contents.load(this.#options.database.query, kind, what));
    if (desired === undefined) {
      throw new StorageError(
        `rule ${number} names ${kind} ${what}, which is not in the database: restore a backup`,
      );
    }
    return {
      number,
      selector: parseSelector(selector),
      desired,
      bundle: bundle ?? undefined,
      rolloutId: rollout_id ?? undefined,
    };
  }
}

type RuleRow = Tables["rules"];

function kindOf({ lane, number }: Pick<RuleRow, "lane" | "number">): OfferKind {
  const kind = offerKinds.find((each) => each === lane);
  if (kind === undefined) throw new StorageError(`rule ${number} is of an unknown kind: ${lane}`);
  return kind;
}
