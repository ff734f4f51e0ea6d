import { AgentCapability, hasBits } from "../opamp/bits.ts";
import type { Assignment } from "./configurations/assignments.ts";
import type { Agent } from "./fleet/agent.ts";

/** Whether to put a remote configuration into what is sent to an Agent; if not, why not. */
export type OfferDecision =
  | { offer: true; assignment: Assignment }
  | { offer: false; reason: "nothing is assigned" | OfferRefusal };

/** Why an Agent is not offered what is assigned to it, in words for the operator. */
export type OfferRefusal =
  | "does not accept remote configuration"
  | "has answered this configuration already"
  | "has refused this configuration"
  | "has been offered this configuration and not answered yet";

export interface OfferContext {
  /** What the Agent is to run. */
  assignment: Assignment | undefined;
  /** Whether the message being answered carries a remote configuration status. */
  statusReported: boolean;
  /** Monotonic milliseconds. */
  now: number;
  /** An offer without an answer is not repeated sooner, so that no buggy Agent can spin with us. */
  repeatAfterMs: number;
}

/**
 * Decides on hashes alone, never on the status: a hash the Agent has named, FAILED too, is not offered
 * again (SC1, SC2, SC3). Nor is a push it refused, should it fall back to naming an older hash.
 */
export function decideOffer(agent: Agent, context: OfferContext): OfferDecision {
  const { assignment } = context;
  if (assignment === undefined) return { offer: false, reason: "nothing is assigned" };
  if (!hasBits(agent.state.capabilities, AgentCapability.AcceptsRemoteConfig)) {
    return { offer: false, reason: "does not accept remote configuration" };
  }
  const named = agent.state.remoteConfigStatus?.lastRemoteConfigHash;
  if (named !== undefined && Buffer.compare(named, assignment.configuration.hash) === 0) {
    return { offer: false, reason: "has answered this configuration already" };
  }
  if (agent.refusedAssignment === assignment.number) {
    return { offer: false, reason: "has refused this configuration" };
  }
  if (isAwaitingAnswer(agent, assignment, context)) {
    return { offer: false, reason: "has been offered this configuration and not answered yet" };
  }
  return { offer: true, assignment };
}

/**
 * Over a WebSocket an offer arrives or the session ends, so only a status that names another hash calls
 * for it again; an answer over HTTP can be lost unnoticed, so an Agent that does report is offered it anew.
 */
function isAwaitingAnswer(agent: Agent, assignment: Assignment, context: OfferContext): boolean {
  const { offered, session, state, transport } = agent;
  if (offered?.assignment !== assignment.number || offered.session !== session) return false;
  if (context.now - offered.at < context.repeatAfterMs) return true;
  const answersStatus = hasBits(state.capabilities, AgentCapability.ReportsRemoteConfig);
  return !(context.statusReported || (transport === "http" && answersStatus));
}
