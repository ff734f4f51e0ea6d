import type { Clock } from "../../foundation/clock.ts";
import type { Logger } from "../../foundation/logger.ts";
import { newInstanceUid } from "../../opamp/instance-uid.ts";
import type { Connection } from "./agent.ts";
import type { Fleet } from "./fleet.ts";

export interface ClaimsOptions {
  fleet: Fleet;
  clock: Clock;
  log: Logger;
  /** How long the holder of an instance UID may take to answer a ping. */
  pingTimeoutMs: number;
}

/** Decides who may speak for an instance UID, and hands out new ones. */
export class Claims {
  readonly #options: ClaimsOptions;
  /** One connection is told the same new UID however often it asks. */
  readonly #given = new WeakMap<Connection, Map<string, Uint8Array>>();

  constructor(options: ClaimsOptions) {
    this.#options = options;
  }

  /** The UID an Agent on this connection is to use instead of `id`: a UUIDv7 (SI2). */
  newUidFor(connection: Connection, id: string): Uint8Array {
    const given = this.#given.get(connection) ?? new Map<string, Uint8Array>();
    this.#given.set(connection, given);
    const uid = given.get(id) ?? newInstanceUid(this.#options.clock.now());
    given.set(id, uid);
    return uid;
  }

  /**
   * Whether the speaker is, or now becomes, the one Agent of that UID. A WebSocket that already speaks
   * for it is pinged first: if it answers there are two Agents (SI3), if not it is the same one, back
   * before its dead connection was noticed, and the old connection is closed.
   */
  async accept(connection: Connection, id: string): Promise<boolean> {
    for (;;) {
      const holder = this.#holderOf(id);
      if (holder === undefined || holder === connection) return true;
      if (await this.#answersPing(holder)) {
        this.#options.log.warn(
          { event: "duplicate_instance_uid", agent_id: id, remote_addr: connection.remoteAddress },
          "two agents use one instance UID: the later one is told to take another",
        );
        return false;
      }
      // Another newcomer may have taken over during the wait; it is asked as well then.
      if (this.#holderOf(id) !== holder) continue;
      this.#replace(holder);
      return true;
    }
  }

  /** Whether a WebSocket here speaks for the Agent and is alive; a dead one is closed. */
  async isHeld(id: string): Promise<boolean> {
    const holder = this.#holderOf(id);
    if (holder === undefined) return false;
    if (await this.#answersPing(holder)) return true;
    if (this.#holderOf(id) === holder) this.#replace(holder);
    return false;
  }

  #replace(holder: Connection): void {
    this.#options.fleet.connectionClosed(holder, "replaced by a new connection");
    holder.close(1001, "replaced by a new connection");
  }

  #holderOf(id: string): Connection | undefined {
    const presence = this.#options.fleet.get(id)?.presence;
    return presence?.t === "websocket" ? presence.connection : undefined;
  }

  #answersPing(connection: Connection): Promise<boolean> {
    const { clock, pingTimeoutMs } = this.#options;
    return new Promise((resolve) => {
      const timer = clock.setTimer(pingTimeoutMs, () => resolve(false));
      const settle = (alive: boolean) => {
        timer.cancel();
        resolve(alive);
      };
      connection.ping().then(
        () => settle(true),
        () => settle(false),
      );
    });
  }
}
