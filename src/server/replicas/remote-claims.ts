import { randomUUID } from "node:crypto";
import type { Clock } from "../../foundation/clock.ts";
import type { Outgoing, ReplicaMessage } from "./channel.ts";

export interface RemoteClaimsOptions {
  clock: Clock;
  send: (message: Outgoing) => void;
  /** Whether a connection here speaks for the Agent and is alive; what was known of it is stored afterwards. */
  holds: (agent: string) => Promise<boolean>;
}

/** A replica that says nothing for this long is not waited for. */
const seenTimeoutMs = 1_000;
/** It pings the connection, and stores what it knows, before it answers. */
const answerTimeoutMs = 8_000;

interface Asked {
  replica: string;
  seen: () => void;
  answer: (held: boolean) => void;
}

/** Asks other replicas whether an Agent is connected to them, and answers when they ask. */
export class RemoteClaims {
  readonly #options: RemoteClaimsOptions;
  readonly #asked = new Map<string, Asked>();
  /** Replicas that did not answer and were not heard since: nobody waits for one of them again. */
  readonly #silent = new Set<string>();

  constructor(options: RemoteClaimsOptions) {
    this.#options = options;
  }

  /** Whether that replica holds a living connection of the Agent. A dead replica holds none. */
  async isHeldBy(replica: string, agent: string): Promise<boolean> {
    if (this.#silent.has(replica)) return false;
    const { clock, send } = this.#options;
    const request = randomUUID();
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const onSilence = () => {
      this.#silent.add(replica);
      resolve(false);
    };
    let timer = clock.setTimer(seenTimeoutMs, onSilence);
    const seen = () => {
      timer.cancel();
      timer = clock.setTimer(answerTimeoutMs, onSilence);
    };
    this.#asked.set(request, { replica, seen, answer: resolve });
    send({ t: "claim", to: replica, request, agent });
    try {
      return await promise;
    } finally {
      timer.cancel();
      this.#asked.delete(request);
    }
  }

  /** Takes a message that is for this replica, or anything another one says: it is there then. */
  take(message: ReplicaMessage): void {
    this.#silent.delete(message.from);
    if (message.t === "claim") void this.#answer(message);
    if (message.t === "claim-seen") this.#asked.get(message.request)?.seen();
    if (message.t === "claim-answer") this.#asked.get(message.request)?.answer(message.held);
  }

  async #answer({ agent, from: to, request }: ReplicaMessage & { t: "claim" }): Promise<void> {
    const { holds, send } = this.#options;
    send({ t: "claim-seen", to, request });
    send({ t: "claim-answer", to, request, held: await holds(agent) });
  }
}
