import { setTimeout as sleep } from "node:timers/promises";
import { newInstanceUid } from "../../src/opamp/instance-uid.ts";
import { collectorYaml, effectiveConfiguration } from "./messages.ts";
import { type Behaviour, SimulatedAgent } from "./simulated-agent.ts";

export interface FleetOptions {
  url: URL;
  agents: number;
  /** Handshakes under way at the same time. */
  handshakes: number;
  heartbeatMs: number;
  configurationBytes: number;
}

/** Heartbeats are sent in so many groups, evenly over the interval. */
const beatGroups = 300;
/** How an agent that was refused tries again: soon, and not all at the same moment. */
const retryMs = { least: 500, spread: 1_000 };

/** Agents in this process, as many as there are sockets for. */
export class SimulatedFleet {
  readonly agents: readonly SimulatedAgent[];
  /** Share of agents that answer FAILED to everything but {@link goodHashes}. */
  failingShare = 0;
  readonly goodHashes = new Set<string>();
  readonly #options: FleetOptions;
  readonly #beating: NodeJS.Timeout;
  #turn = 0;

  constructor(options: FleetOptions) {
    this.#options = options;
    const behaviour: Behaviour = {
      url: options.url,
      ownConfiguration: effectiveConfiguration(Buffer.from(collectorYaml("own", options.configurationBytes))),
      canRun: (index, hash) =>
        this.goodHashes.has(hash) || (index * 7_919) % 1_000 >= this.failingShare * 1_000,
    };
    const now = Date.now();
    this.agents = Array.from(
      { length: options.agents },
      (_, index) => new SimulatedAgent(index, newInstanceUid(now), behaviour),
    );
    this.#beating = setInterval(() => this.#beat(), options.heartbeatMs / beatGroups);
  }

  /** Connects these agents; resolves to the milliseconds until the first report of each was answered. */
  async connect(agents: readonly SimulatedAgent[] = this.agents): Promise<number[]> {
    const began = performance.now();
    const times: number[] = [];
    const waiting = [...agents];
    const work = async () => {
      for (let agent = waiting.pop(); agent !== undefined; agent = waiting.pop()) {
        while (!(await agent.connect())) await sleep(retryMs.least + Math.random() * retryMs.spread);
        times.push(performance.now() - began);
      }
    };
    await Promise.all(Array.from({ length: Math.min(this.#options.handshakes, agents.length) }, work));
    return times;
  }

  /** Connections that were refused or ended before the first answer, and those lost later. */
  get troubles(): { failures: number; losses: number } {
    const sum = { failures: 0, losses: 0 };
    for (const { failures, losses } of this.agents) {
      sum.failures += failures;
      sum.losses += losses;
    }
    return sum;
  }

  /** Resolves once all were offered that hash last and the server has taken every answer to it. */
  async confirmed(hash: string, limitMs: number): Promise<void> {
    await this.until(limitMs, ({ offer }) => offer?.hash === hash && offer.confirmedAt !== undefined);
  }

  /** Looks at every agent again and again. */
  async until(limitMs: number, holds: (agent: SimulatedAgent) => boolean): Promise<void> {
    const deadline = performance.now() + limitMs;
    for (;;) {
      const missing = this.agents.reduce((sum, agent) => sum + (holds(agent) ? 0 : 1), 0);
      if (missing === 0) return;
      if (performance.now() > deadline)
        throw new Error(`${missing} agents did not get there in ${limitMs} ms`);
      await sleep(20);
    }
  }

  close(): void {
    clearInterval(this.#beating);
    for (const agent of this.agents) agent.drop();
  }

  #beat(): void {
    this.#turn = (this.#turn + 1) % beatGroups;
    for (let index = this.#turn; index < this.agents.length; index += beatGroups) this.agents[index]?.beat();
  }
}
