import { AgentCapability, hasBits } from "../../opamp/bits.ts";
import type { AgentState } from "../../opamp/server/agent-state.ts";
import { connectionBits } from "../connections/connection-composer.ts";
import type { Agent, OfferKind } from "../fleet/agent.ts";
import type { Rule } from "./rule.ts";

interface OfferRules {
  /** Bits of which Agents that may be offered it have one (SC1, SP1, SN1), and the bit of those that tell what became of it. */
  readonly accepts: readonly bigint[];
  readonly reports: bigint;
  readonly hashNamedIn: (state: AgentState) => Uint8Array | undefined;
  /** For "does not accept …" and "has answered …". */
  readonly kind: string;
  readonly one: string;
}

const rulesOf: Readonly<Record<OfferKind, OfferRules>> = {
  configuration: {
    accepts: [AgentCapability.AcceptsRemoteConfig],
    reports: AgentCapability.ReportsRemoteConfig,
    hashNamedIn: (state) => state.remoteConfigStatus?.lastRemoteConfigHash,
    kind: "remote configuration",
    one: "this configuration",
  },
  packages: {
    accepts: [AgentCapability.AcceptsPackages],
    reports: AgentCapability.ReportsPackageStatuses,
    hashNamedIn: (state) => state.packageStatuses?.serverProvidedAllPackagesHash,
    kind: "packages",
    one: "these packages",
  },
  connections: {
    accepts: connectionBits,
    reports: AgentCapability.ReportsConnectionSettingsStatus,
    hashNamedIn: (state) => state.connectionSettingsStatus?.lastConnectionSettingsHash,
    kind: "connection settings",
    one: "these connection settings",
  },
};

export interface RefusalContext {
  /** Whether the message being answered carries the status of this kind. */
  statusReported: boolean;
  /** Monotonic milliseconds. */
  now: number;
  /** An offer without an answer is not repeated sooner, so that no buggy Agent can spin with us. */
  repeatAfterMs: number;
}

/**
 * Why an Agent is not offered what is assigned to it, in words for the operator; undefined when it is.
 * Decides on hashes alone, never on the status: a hash the Agent has named, FAILED too, is not offered
 * again (SC1, SC2, SC3, SP1, SP4). Nor is a push it refused, should it fall back to naming an older hash.
 */
export function refusalReason(
  agent: Agent,
  kind: OfferKind,
  rule: Rule,
  context: RefusalContext,
): string | undefined {
  const { accepts, hashNamedIn, one, ...words } = rulesOf[kind];
  const accepted = accepts.some((bit) => hasBits(agent.state.capabilities, bit));
  if (!accepted) return `does not accept ${words.kind}`;
  const named = hashNamedIn(agent.state);
  if (named !== undefined && Buffer.compare(named, rule.desired.hash) === 0) {
    return `has answered ${one} already`;
  }
  if (agent.offers[kind].refused.includes(rule.number)) return `has refused ${one}`;
  if (isAwaitingAnswer(agent, kind, rule, context)) {
    return `has been offered ${one} and not answered yet`;
  }
  return undefined;
}

/**
 * Over a WebSocket an offer arrives or the session ends, so only a status that names another hash calls
 * for it again; an answer over HTTP can be lost unnoticed, so an Agent that does report is offered it anew.
 */
function isAwaitingAnswer(
  { offers, session, state, transport }: Agent,
  kind: OfferKind,
  rule: Rule,
  { now, repeatAfterMs, statusReported }: RefusalContext,
): boolean {
  const { offered } = offers[kind];
  if (offered?.rule !== rule.number || offered.session !== session) return false;
  if (now - offered.at < repeatAfterMs) return true;
  const answersStatus = hasBits(state.capabilities, rulesOf[kind].reports);
  return !(statusReported || (transport === "http" && answersStatus));
}
