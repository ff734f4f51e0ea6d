import { everyAgent, type Selectable, type Selector } from "../fleet/selector.ts";

/** One push: whoever the selector picks, now or later, is to have what is desired. */
export interface Assignment<T> {
  /** Grows with every push, so that the same content pushed again is told from the first time. */
  readonly number: number;
  readonly selector: Selector;
  readonly desired: T;
  /** The same for a configuration and packages that were pushed together: neither is to be tried without the other. */
  readonly bundle: symbol | undefined;
}

/** What is desired of every Agent, also of those not seen yet: the newest matching push wins. */
export class Assignments<T> {
  #count = 0;
  /** Newest first. */
  #assignments: readonly Assignment<T>[] = [];

  /** Makes `desired` what all that `selector` picks are to have. */
  push(selector: Selector, desired: T, bundle?: symbol): Assignment<T> {
    this.#count += 1;
    const assignment = { number: this.#count, selector, desired, bundle };
    // What a newer push hides completely can never win again; without this the list would only grow.
    const hidden = (older: Assignment<T>) =>
      selector.text === everyAgent.text || older.selector.text === selector.text;
    this.#assignments = [assignment, ...this.#assignments.filter((older) => !hidden(older))];
    return assignment;
  }

  /** What the Agent is to have, or undefined when nothing was pushed for it. */
  desiredFor(agent: Selectable): Assignment<T> | undefined {
    return this.#assignments.find(({ selector }) => selector.matches(agent));
  }
}
