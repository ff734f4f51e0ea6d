import type { Candidate } from "../../../../src/server/rollouts/cohorts/candidate.ts";
import { advance } from "../../../../src/server/rollouts/course/advance.ts";
import {
  applyEvent,
  applyStep,
  type Outcome,
  type Reach,
} from "../../../../src/server/rollouts/course/apply.ts";
import type { Member, Rollout, StoryEntry } from "../../../../src/server/rollouts/course/rollout.ts";
import { firstState, type RolloutEvent } from "../../../../src/server/rollouts/course/transition.ts";
import type { MemberFacts, QueryResult, RestFacts } from "../../../../src/server/rollouts/gates/evidence.ts";
import type { Strategy } from "../../../../src/server/rollouts/strategy/strategy.ts";

/** How a simulated Agent takes what it is offered. */
export type Behaviour = "applies" | "fails" | "silent" | "unhealthy" | "runs-other" | "drops-out";

export interface SimulatedAgent extends Candidate {
  readonly behaviour: Behaviour;
  /** Of its answer, in milliseconds. */
  readonly delayMs: number;
}

/** A rollout over Agents that behave as told, on a clock that the test moves. No server is about. */
export class SimulatedFleet {
  now = 1_000_000;
  rollout: Rollout;
  readonly members = new Map<string, Member>();
  readonly story: StoryEntry[] = [];
  readonly reach: Reach[] = [];
  agents: SimulatedAgent[];
  queries: Record<string, QueryResult> = {};
  rest: Partial<RestFacts> = {};

  constructor(strategy: Strategy, agents: readonly SimulatedAgent[]) {
    this.agents = [...agents];
    this.rollout = {
      id: "r1",
      changes: [{ kind: "configuration", hash: "ab", rule: 1 }],
      selector: "",
      strategy,
      createdAt: this.now,
      createdBy: "ann",
      message: "",
      state: firstState(strategy, this.now),
      begun: undefined,
      isOpen: false,
      breachedSince: {},
      tolerated: [],
    };
    this.settle();
  }

  /** Lets time pass in steps. */
  pass(ms: number, stepMs = 1_000): void {
    const end = this.now + ms;
    while (this.now < end) {
      this.now = Math.min(end, this.now + stepMs);
      this.settle();
    }
  }

  /** Does something as a person; returns why it was refused. */
  person(what: RolloutEvent): string | undefined {
    const applied = applyEvent(this.rollout, {
      what,
      by: "bob",
      text: "by hand",
      findings: [],
      now: this.now,
    });
    if ("refused" in applied) return applied.refused;
    this.#take(applied);
    this.settle();
    return undefined;
  }

  get released(): string[] {
    return [...this.members.values()]
      .filter(({ releasedAt }) => releasedAt !== undefined)
      .map(({ id }) => id);
  }

  get events(): string[] {
    return this.story.map(({ event }) => event);
  }

  settle(): void {
    for (let step = 0; step < 100; step += 1) {
      const { state } = this.rollout;
      if (state.t !== "running" && !(state.t === "paused" && state.was.t === "running")) return;
      this.#answer();
      const situation = {
        rollout: this.rollout,
        candidates: this.agents,
        members: this.members,
        evidence: {
          members: this.#facts(),
          rest: this.#restFacts(),
          restBefore: this.rollout.begun?.rest,
          queries: this.queries,
        },
        now: this.now,
      };
      const next = advance(situation);
      this.#take(applyStep(this.rollout, this.members, next, { now: this.now, beforeOf: () => unburdened }));
      if (next.event === undefined && next.placed.length + next.release.length === 0 && !next.begun) return;
    }
    throw new Error("does not settle");
  }

  #take({ rollout, members, story, reach }: Outcome): void {
    this.rollout = rollout;
    for (const member of members) this.members.set(member.id, member);
    this.story.push(...story);
    this.reach.push(...reach);
  }

  #answer(): void {
    for (const agent of this.agents) {
      const member = this.members.get(agent.id);
      if (member?.releasedAt === undefined) continue;
      const offeredAt = member.offeredAt ?? (agent.reachable ? this.now : undefined);
      const isDue = offeredAt !== undefined && this.now >= offeredAt + agent.delayMs;
      const answers = isDue && agent.behaviour !== "silent" && member.answer.t === "none";
      const answer: Member["answer"] =
        agent.behaviour === "fails"
          ? { t: "failed", at: this.now, reason: "no" }
          : { t: "applied", at: this.now };
      this.members.set(agent.id, { ...member, offeredAt, ...(answers ? { answer } : {}) });
    }
  }

  #facts(): MemberFacts[] {
    const byId = new Map(this.agents.map((agent) => [agent.id, agent]));
    return [...this.members.values()].flatMap((member) => {
      const agent = byId.get(member.id);
      if (member.releasedAt === undefined || agent === undefined) return [];
      const applied = member.answer.t === "applied";
      const { behaviour } = agent;
      return [
        {
          id: member.id,
          stage: member.stage,
          offeredAt: member.offeredAt,
          reachable: agent.reachable && !(applied && behaviour === "drops-out"),
          answer: member.answer,
          runsOther: applied && behaviour === "runs-other",
          healthy: !(applied && behaviour === "unhealthy"),
          crashLooping: false,
          before: member.before,
          tellsFigures: false,
          ratesBefore: undefined,
          rates: undefined,
        },
      ];
    });
  }

  #restFacts(): RestFacts | undefined {
    const agents = this.agents.filter(({ id }) => !this.members.has(id)).length;
    return agents === 0
      ? undefined
      : { agents, disconnected: 0, unhealthy: 0, crashLooping: 0, rates: {}, ...this.rest };
  }
}

const unburdened: Member["before"] = { healthy: true, crashLooping: false, hashes: {}, rates: undefined };

/** So many Agents that behave alike; `more` changes some. */
export function agentsThat(
  behaviour: Behaviour,
  count: number,
  more: (index: number) => Partial<SimulatedAgent> = () => ({}),
): SimulatedAgent[] {
  return Array.from({ length: count }, (_, index) => ({
    id: `agent-${index}`,
    labels: {},
    state: { capabilities: 0n },
    reachable: true,
    blocked: undefined,
    behaviour,
    delayMs: 1_000,
    ...more(index),
  }));
}
