import type { Clock, Timer } from "../foundation/clock.ts";
import type { Logger } from "../foundation/logger.ts";
import type { AgentService } from "./agent-service.ts";
import type { Fleet } from "./fleet/fleet.ts";

export interface RestartsOptions {
  fleet: Fleet;
  service: Pick<AgentService, "restart">;
  clock: Clock;
  log: Logger;
}

/** Has many Agents restart, a few at a time: all at once, a fleet would send nothing and then everything. */
export class Restarts {
  readonly #options: RestartsOptions;
  #waiting: string[] = [];
  #timer: Timer | undefined;

  constructor(options: RestartsOptions) {
    this.#options = options;
  }

  /** Agents that still wait for their command. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Begins at once with the first one. @param perSecond how many in a second */
  start(ids: readonly string[], perSecond: number): void {
    this.#waiting = [...ids];
    this.#next(1000 / perSecond);
  }

  /** Those that still wait are not restarted. */
  close(): void {
    this.#timer?.cancel();
    if (this.#waiting.length === 0) return;
    const { log } = this.#options;
    log.warn(
      { event: "restarts_dropped", agents: this.#waiting.length },
      "agents were not restarted any more",
    );
    this.#waiting = [];
  }

  #next(intervalMs: number): void {
    const { clock, fleet, log, service } = this.#options;
    const id = this.#waiting.shift();
    const agent = id === undefined ? undefined : fleet.get(id);
    const result = agent && service.restart(agent);
    if (result?.t === "refused") {
      log.warn({ event: "restart_refused", agent_id: id, reason: result.reason }, "agent was not restarted");
    }
    if (this.#waiting.length === 0) return;
    this.#timer = clock.setTimer(intervalMs, () => this.#next(intervalMs));
  }
}
