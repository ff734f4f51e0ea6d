import type { Clock } from "../foundation/clock.ts";
import type { OfferKind } from "./fleet/agent.ts";

/**
 * What happens in the control plane, as operators and other rooms are told of it: names and hashes, never a
 * configuration or a secret. Each room adds its own, named ROOM.WHAT.
 */
export type ServerEvent =
  | { type: "agent.connected"; agent_id: string; version: string | null; transport: "websocket" | "http" }
  | { type: "agent.disconnected"; agent_id: string; reason: string }
  /** `changed` names the parts of what is known of it that are new, as `GET /agents/{instance_uid}` has them. */
  | { type: "agent.changed"; agent_id: string; changed: readonly string[] }
  | { type: "offer.made"; agent_id: string; kind: OfferKind; hash: string }
  /** Here and below, `status` is as the specification names it, without its prefix: APPLYING, APPLIED, FAILED … */
  | {
      type: "offer.answered";
      agent_id: string;
      kind: OfferKind;
      hash: string;
      status: string;
      error: string | null;
    }
  | { type: "group.changed"; group: string }
  /** A person has to decide on it. */
  | { type: "certificate.requested"; agent_id: string; request: string; cause: string }
  | { type: "certificate.issued"; agent_id: string; serial: string }
  /** Below, `agent_id` is null for one that names no agent. */
  | { type: "certificate.revoked"; agent_id: string | null; serial: string; reason: string }
  | { type: "certificate.expiring"; agent_id: string | null; serial: string; expires_at: string }
  | {
      type: "package.status";
      agent_id: string;
      package: string;
      status: string;
      version: string | null;
      error: string | null;
    }
  /** A decision about a rollout; `state` is the one that it has led to. */
  | {
      type: "rollout.changed";
      rollout: string;
      happened: string;
      state: string;
      by: string;
      text: string;
    };

export type ServerEventType = ServerEvent["type"];

/** Every type there is; the compiler knows that none is missing. */
export const serverEventTypes = Object.keys({
  "agent.connected": true,
  "agent.disconnected": true,
  "agent.changed": true,
  "offer.made": true,
  "offer.answered": true,
  "group.changed": true,
  "certificate.requested": true,
  "certificate.issued": true,
  "certificate.revoked": true,
  "certificate.expiring": true,
  "package.status": true,
  "rollout.changed": true,
} satisfies Record<ServerEventType, true>) as readonly ServerEventType[];

export interface PublishedEvent {
  /** Counts up by one from 1 at each start of the server. */
  readonly number: number;
  /** Milliseconds since the Unix epoch. */
  readonly at: number;
  readonly event: ServerEvent;
}

export interface ServerEventsOptions {
  clock: Clock;
  /** Of this run of the server: numbers of another run mean other events. */
  run: string;
  /** So many of the last events can be read again. */
  kept: number;
}

/** The bus inside this process: rooms publish, and whoever wants to know reads at its own speed. */
export class ServerEvents {
  readonly run: string;
  readonly #clock: Clock;
  readonly #kept: number;
  /** The last ones, each at its number modulo `kept`. */
  readonly #ring: PublishedEvent[] = [];
  readonly #listeners = new Set<() => void>();
  #last = 0;

  constructor({ clock, run, kept }: ServerEventsOptions) {
    this.#clock = clock;
    this.run = run;
    this.#kept = kept;
  }

  /** Number of the last event; 0 before the first. */
  get last(): number {
    return this.#last;
  }

  publish(event: ServerEvent): void {
    this.#last += 1;
    this.#ring[this.#last % this.#kept] = { number: this.#last, at: this.#clock.now(), event };
    for (const listener of this.#listeners) listener();
  }

  /** The event of that number, or undefined: not there yet, or not any more. */
  get(number: number): PublishedEvent | undefined {
    const found = this.#ring[number % this.#kept];
    return found?.number === number ? found : undefined;
  }

  /** Whether every event after that number can still be read. */
  reachesBackTo(number: number): boolean {
    return number <= this.#last && number >= this.#last - this.#kept;
  }

  /** Calls `listener` after each event, until the function returned is called. It must neither wait nor throw. */
  onPublished(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
