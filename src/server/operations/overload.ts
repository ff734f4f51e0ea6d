import type { Clock, Timer } from "../../foundation/clock.ts";
import type { Logger } from "../../foundation/logger.ts";
import { formatInstanceUid } from "../../opamp/instance-uid.ts";
import { type AgentToServer, ServerErrorResponseType } from "../../opamp/messages.ts";
import type { ServerToAgentInit } from "../../opamp/server/contract.ts";
import type { Connection } from "../fleet/agent.ts";
import type { Fleet } from "../fleet/fleet.ts";

export interface OverloadOptions {
  fleet: Pick<Fleet, "isHere">;
  clock: Clock;
  log: Logger;
  /** In [0, 1). */
  random: () => number;
}

const lookMs = 500;
/** A fleet of 18,000 that comes back at once leaves the event loop far below this. */
const tooLateMs = 4_000;
const fineMs = 1_000;
/** From and to: an Agent that is sent away comes back some time in between. */
const retryMs = [5_000, 20_000] as const;

/**
 * Notices when this process cannot keep up, by how late its timers are, and sends newcomers away until it can (SE3): those
 * that are here, and what they answer to an offer, are served before one more.
 */
export class Overload {
  readonly #options: OverloadOptions;
  #isOver = false;
  #sentAway = 0;
  #timer: Timer | undefined;

  constructor(options: OverloadOptions) {
    this.#options = options;
    this.#look();
  }

  /** What to answer instead of taking the message; undefined for all but newcomers while it is too much. */
  refusal(
    connection: Connection,
    { agentDisconnect, instanceUid }: AgentToServer,
  ): ServerToAgentInit | undefined {
    if (!this.#isOver || agentDisconnect !== undefined) return undefined;
    if (this.#options.fleet.isHere(connection, formatInstanceUid(instanceUid))) return undefined;
    this.#sentAway += 1;
    const [from, to] = retryMs;
    const waitMs = Math.round(from + this.#options.random() * (to - from));
    return {
      errorResponse: {
        type: ServerErrorResponseType.ServerErrorResponseType_Unavailable,
        errorMessage: "the server has too much to do",
        details: { case: "retryInfo", value: { retryAfterNanoseconds: BigInt(waitMs) * 1_000_000n } },
      },
    };
  }

  close(): void {
    this.#timer?.cancel();
  }

  #look(): void {
    const { clock } = this.#options;
    const due = clock.monotonic() + lookMs;
    this.#timer = clock.setTimer(lookMs, () => {
      this.#judge(clock.monotonic() - due);
      this.#look();
    });
  }

  #judge(lateMs: number): void {
    const { log } = this.#options;
    const late_ms = Math.round(lateMs);
    if (!this.#isOver && lateMs >= tooLateMs) {
      this.#isOver = true;
      this.#sentAway = 0;
      log.warn({ event: "overloaded", late_ms }, "too much to do: new agents are told to come back later");
    } else if (this.#isOver && lateMs <= fineMs) {
      this.#isOver = false;
      log.info({ event: "overload_over", sent_away: this.#sentAway }, "new agents are taken again");
    }
  }
}
