import type { Timer } from "../../foundation/clock.ts";
import type { AgentState } from "../../opamp/server/agent-state.ts";
import type { AgentConnection } from "../../opamp/server/contract.ts";
import type { Labels } from "./labels.ts";

/** A connection of the OpAMP listener. Who speaks on it is told by the instance UID, not by the connection. */
export type Connection = AgentConnection<unknown>;

/** Whether and how an Agent can be reached. */
export type Presence =
  | { t: "websocket"; connection: Connection }
  /** Between two polls; the timer is what ends it (SH5). */
  | { t: "polling"; timeout: Timer }
  | { t: "gone" };

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
  /** Hash of the last remote configuration it said it had applied, in hexadecimal. */
  readonly appliedHash: string | undefined;
  /** The last offer made; `at` is on the monotonic clock. */
  readonly offered:
    | { readonly assignment: number; readonly session: number; readonly at: number }
    | undefined;
  /** The push it answered with FAILED; it stays refused if the Agent later names another hash again. */
  readonly refusedAssignment: number | undefined;
  /** A restart command that waits for the next poll. */
  readonly restartWaiting: boolean;
}
