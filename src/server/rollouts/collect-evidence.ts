import type { Agent } from "../fleet/agent.ts";
import type { Member, Rollout } from "./course/rollout.ts";
import type { FigureHistory } from "./figure-history.ts";
import type { Evidence, MemberFacts, QueryResult, RestFacts } from "./gates/evidence.ts";
import { together } from "./gates/rates.ts";
import { answerOf, canAnswer, isCrashLooping, isReachable, runsOther } from "./observe.ts";

/** What has changed about members since they were last looked at: when they could be reached, and their answers. */
export function refreshedMembers(
  rollout: Rollout,
  members: ReadonlyMap<string, Member>,
  agentOf: (id: string) => Agent | undefined,
  now: number,
): Member[] {
  return [...members.values()].flatMap((member) => {
    const agent = agentOf(member.id);
    if (member.releasedAt === undefined || agent === undefined) return [];
    const canBeOffered = isReachable(agent) && canAnswer(agent, rollout.changes);
    const offeredAt = member.offeredAt ?? (canBeOffered ? now : undefined);
    const answer = answerOf(agent, rollout.changes, member.answer, now);
    const isSame = offeredAt === member.offeredAt && answer.t === member.answer.t;
    return isSame ? [] : [{ ...member, offeredAt, answer }];
  });
}

export interface EvidenceOptions {
  rollout: Rollout;
  members: ReadonlyMap<string, Member>;
  /** All Agents that the rollout's selector picks. */
  agents: readonly Agent[];
  /** Any Agent, also one that the selector no longer picks. */
  agentOf: (id: string) => Agent | undefined;
  history: FigureHistory;
  queries: Readonly<Record<string, QueryResult>>;
}

/** All that the gates of a rollout look at, now. */
export function collectEvidence(options: EvidenceOptions): Evidence {
  const { rollout, members, agents, agentOf, history, queries } = options;
  const released = [...members.values()].filter(({ releasedAt }) => releasedAt !== undefined);
  const rest = agents.filter(({ id }) => members.get(id)?.releasedAt === undefined);
  return {
    members: released.map((member) => factsOf(agentOf(member.id), member, rollout, history)),
    rest: restOf(rest, history),
    restBefore: rollout.begun?.rest,
    queries,
  };
}

/** Without an Agent: it was a member before this server was started, and has not been heard since. */
function factsOf(
  agent: Agent | undefined,
  { answer, before, id, offeredAt, stage }: Member,
  { changes }: Rollout,
  history: FigureHistory,
): MemberFacts {
  const common = { id, stage, offeredAt, answer, before, ratesBefore: before.rates };
  if (agent === undefined) {
    const unknown = { runsOther: false, healthy: undefined, crashLooping: false, rates: undefined };
    return { ...common, ...unknown, reachable: false, tellsFigures: false };
  }
  const applied = answer.t === "applied";
  return {
    ...common,
    reachable: isReachable(agent),
    runsOther: applied && runsOther(agent, changes),
    healthy: agent.state.health?.healthy,
    crashLooping: isCrashLooping(agent),
    tellsFigures: agent.figures !== undefined,
    rates: applied ? history.rates(id, answer.at) : undefined,
  };
}

function restOf(agents: readonly Agent[], history: FigureHistory): RestFacts | undefined {
  if (agents.length === 0) return undefined;
  const share = (holds: (agent: Agent) => boolean) => agents.filter(holds).length / agents.length;
  return {
    agents: agents.length,
    disconnected: share((agent) => !isReachable(agent)),
    unhealthy: share(({ state }) => state.health?.healthy === false),
    crashLooping: share(isCrashLooping),
    rates: together(agents.flatMap(({ id }) => history.rates(id) ?? [])),
  };
}
