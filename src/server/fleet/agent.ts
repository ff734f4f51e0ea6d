import type { Timer } from "../../foundation/clock.ts";
import type { Figures } from "../../opamp/figures.ts";
import type { AgentState } from "../../opamp/server/agent-state.ts";
import type { AgentConnection } from "../../opamp/server/contract.ts";
import type { AgentIdentity } from "../access/agents.ts";
import type { Labels } from "./labels.ts";

/** A connection of the OpAMP listener. Who speaks on it is told by the instance UID, not by the connection. */
export type Connection = AgentConnection<AgentIdentity>;

/** Whether and how an Agent can be reached. */
export type Presence =
  | { t: "websocket"; connection: Connection }
  /** Between two polls; the timer is what ends it (SH5). */
  | { t: "polling"; timeout: Timer }
  /** Another replica holds its connection. */
  | { t: "elsewhere"; replica: string }
  /** `since` in Unix milliseconds. */
  | { t: "gone"; since: number; reason: string };

/** What an Agent can be offered. */
export type OfferKind = "configuration" | "packages" | "connections";

/** One offer, and what the Agent answered to it. Times are Unix milliseconds. */
export interface OfferEntry {
  /** Counts the offers of this Agent. */
  readonly number: number;
  readonly rule: number;
  /** Hexadecimal. */
  readonly hash: string;
  readonly offeredAt: number;
  readonly answer: { readonly status: string; readonly at: number; readonly error: string } | undefined;
}

/** What was offered to an Agent of one kind, and what it made of it. */
export interface OfferNotes {
  /** The last offer made; `at` is on the monotonic clock. */
  readonly offered: { readonly rule: number; readonly session: number; readonly at: number } | undefined;
  /**
   * The rules it answered with a failure, the last ones only; they stay refused if the Agent later names
   * another hash again.
   */
  readonly refused: readonly number[];
  /** The newest entry of its history. */
  readonly last: OfferEntry | undefined;
}

/** All that is known of one Agent. Never changed in place: the fleet replaces it. */
export interface Agent {
  /** The instance UID in canonical form. */
  readonly id: string;
  readonly state: AgentState;
  readonly labels: Labels;
  readonly presence: Presence;
  /** Grows each time the Agent comes (back): what was offered in an earlier session may have been lost. */
  readonly session: number;
  /** How it was last heard, also when it is gone. */
  readonly transport: Connection["transport"];
  readonly remoteAddress: string;
  /** Milliseconds since the Unix epoch. */
  readonly firstSeen: number;
  readonly lastSeen: number;
  /** Hash of the remote configuration that runs, in hexadecimal: the last it said it had applied, or what its figures say. */
  readonly appliedHash: string | undefined;
  /** What it said last of what runs and how it fares; only a supervisor of ours says it. */
  readonly figures: Figures | undefined;
  readonly offers: Readonly<Record<OfferKind, OfferNotes>>;
  /** How many offers it was made so far. */
  readonly offerCount: number;
  /** A restart command that waits for the next poll. */
  readonly restartWaiting: boolean;
}
