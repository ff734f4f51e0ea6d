import { everyAgent, type Selectable, type Selector } from "../fleet/selector.ts";
import type { Configuration } from "./configuration.ts";

/** One push: whoever the selector picks, now or later, is to run the configuration. */
export interface Assignment {
  /** Grows with every push, so that the same configuration pushed again is told from the first time. */
  readonly number: number;
  readonly selector: Selector;
  readonly configuration: Configuration;
}

/** The desired configuration of every Agent, also of those not seen yet: the newest matching push wins. */
export class Assignments {
  #count = 0;
  /** Newest first. */
  #assignments: readonly Assignment[] = [];

  /** Makes `configuration` the desired one of all that `selector` picks. */
  push(selector: Selector, configuration: Configuration): Assignment {
    this.#count += 1;
    const assignment = { number: this.#count, selector, configuration };
    // What a newer push hides completely can never win again; without this the list would only grow.
    const hidden = (older: Assignment) =>
      selector.text === everyAgent.text || older.selector.text === selector.text;
    this.#assignments = [assignment, ...this.#assignments.filter((older) => !hidden(older))];
    return assignment;
  }

  /** What the Agent is to run, or undefined when nothing was pushed for it. */
  desiredFor(agent: Selectable): Assignment | undefined {
    return this.#assignments.find(({ selector }) => selector.matches(agent));
  }
}
