import type { Fleet } from "../fleet/fleet.ts";
import type { News } from "./notification.ts";

/** Looks in a row that must agree: a server that restarts sees everybody gone for a moment. */
const looksNeeded = 3;

/** Tells once when more Agents than the threshold cannot be reached, and once when that is over. */
export class LostAgents {
  readonly #fleet: Pick<Fleet, "list">;
  readonly #threshold: number;
  #told = false;
  #differs = 0;

  constructor({ fleet, threshold }: { fleet: Pick<Fleet, "list">; threshold: number }) {
    this.#fleet = fleet;
    this.#threshold = threshold;
  }

  look(): News | undefined {
    const agents = this.#fleet.list();
    const lost = agents.filter(({ presence }) => presence.t === "gone").length;
    const share = agents.length === 0 ? 0 : lost / agents.length;
    const isOver = share > this.#threshold;
    this.#differs = isOver === this.#told ? 0 : this.#differs + 1;
    if (this.#differs < looksNeeded) return undefined;
    this.#told = isOver;
    this.#differs = 0;
    const percent = `${(share * 100).toFixed(1)} %`;
    return {
      kind: "agents.lost",
      severity: isOver ? "warning" : "info",
      title: isOver ? `${percent} of the agents cannot be reached` : "The agents are back",
      text: `${lost} of ${agents.length} known agents cannot be reached. They go on with what they have.`,
      about: { lost, known: agents.length },
    };
  }
}
