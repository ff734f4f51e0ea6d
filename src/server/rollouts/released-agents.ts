import type { Selectable } from "../../opamp/selector.ts";
import type { Reach } from "../offers/rule.ts";

/** Whom the rollouts have reached, in memory: every message of every Agent asks. */
export class ReleasedAgents implements Reach {
  readonly #byRollout = new Map<string, Set<string>>();

  includes(rolloutId: string, { id }: Selectable): boolean {
    return this.#byRollout.get(rolloutId)?.has(id) ?? false;
  }

  add(rolloutId: string, ids: Iterable<string>): void {
    const known = this.#byRollout.get(rolloutId) ?? new Set();
    this.#byRollout.set(rolloutId, known);
    for (const id of ids) known.add(id);
  }
}
