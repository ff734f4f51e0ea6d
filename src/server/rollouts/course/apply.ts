import type { Finding } from "../gates/finding.ts";
import type { Step } from "./advance.ts";
import { type Member, type Rollout, type StoryEntry, serverItself } from "./rollout.ts";
import { type RolloutState, stageOf } from "./state.ts";
import { type RolloutEvent, transition } from "./transition.ts";

/** What becomes of the rule whose reach a rollout lets grow. */
export type Reach =
  /** It applies to these as well. */
  | { readonly t: "extend"; readonly ids: readonly string[] }
  /** It applies to all that the selector picks, now and later. */
  | { readonly t: "everybody" }
  /** It applies to nobody any longer: everybody falls to the rule below. */
  | { readonly t: "withdraw" };

/** A rollout after something happened, and what is to be written and done for it. */
export interface Outcome {
  readonly rollout: Rollout;
  /** New or changed. */
  readonly members: readonly Member[];
  readonly reach: readonly Reach[];
  readonly story: readonly StoryEntry[];
}

export interface Happening {
  readonly what: RolloutEvent;
  readonly by: string;
  readonly text: string;
  readonly findings: readonly Finding[];
  /** Unix milliseconds. */
  readonly now: number;
}

/** What an event makes of a rollout, or why it makes no sense now. */
export function applyEvent(rollout: Rollout, happening: Happening): Outcome | { readonly refused: string } {
  const { what, by, text, findings, now } = happening;
  const next = transition(rollout.strategy, rollout.state, what, now);
  if ("refused" in next) return next;
  const { state } = next;
  const reach = reachAfter(rollout, state);
  const isSameStage = stageOf(state) === stageOf(rollout.state);
  const entry: StoryEntry = { at: now, event: what.t, stage: stageOf(rollout.state), by, text, findings };
  return {
    rollout: {
      ...rollout,
      state,
      isOpen: rollout.isOpen || reach.some(({ t }) => t === "everybody"),
      breachedSince: isSameStage ? rollout.breachedSince : {},
      tolerated: isSameStage ? toleratedAfter(rollout, what) : [],
    },
    members: [],
    reach,
    story: [entry],
  };
}

/** Withdrawing twice does no harm. Once a rollout is done its rules are everybody's, if they were not before. */
function reachAfter({ isOpen, strategy }: Rollout, next: RolloutState): Reach[] {
  if (next.t === "rolling-back") return [{ t: "withdraw" }];
  if (isOpen) return [];
  if (next.t === "done") return [{ t: "everybody" }];
  const isLast = next.t === "running" && next.stage === strategy.stages.length - 1;
  const opens = isLast && next.phase.t === "dwelling";
  return opens ? [{ t: "everybody" }] : [];
}

/** Whoever resumes has seen what is breached now: the same warning does not pause this stage again. */
function toleratedAfter({ tolerated, breachedSince }: Rollout, what: RolloutEvent): readonly string[] {
  if (what.t !== "resume") return tolerated;
  const gates = Object.keys(breachedSince).map((key) => key.replace(/\/(warning|critical)$/, ""));
  return [...new Set([...tolerated, ...gates])];
}

/** What a step makes of a rollout. `beforeOf` tells how an Agent is now, before it is reached. */
export function applyStep(
  rollout: Rollout,
  members: ReadonlyMap<string, Member>,
  step: Step,
  { now, beforeOf }: { now: number; beforeOf: (id: string) => Member["before"] },
): Outcome {
  const judged: Rollout = { ...rollout, breachedSince: step.verdict.breachedSince };
  if (step.event !== undefined) {
    const applied = applyEvent(judged, { ...step.event, by: serverItself, now });
    if ("refused" in applied) throw new Error(applied.refused);
    return applied;
  }
  const index = step.begun?.index ?? rollout.begun?.index;
  if (index === undefined) return { rollout: judged, members: [], reach: [], story: [] };
  const placed = new Map(
    step.placed.map(({ agent, because }): [string, Member] => [
      agent.id,
      {
        id: agent.id,
        stage: index,
        because,
        releasedAt: undefined,
        offeredAt: undefined,
        answer: { t: "none" },
        before: beforeOf(agent.id),
      },
    ]),
  );
  for (const id of step.release) {
    const member = placed.get(id) ?? members.get(id);
    if (member !== undefined) placed.set(id, { ...member, releasedAt: now });
  }
  const isLast = index === rollout.strategy.stages.length - 1;
  // With a limit on how many may be under way it stays a matter of turns until all have answered.
  const opens =
    step.begun !== undefined && isLast && rollout.strategy.stages[index]?.maxUnderWay === undefined;
  const reach: Reach[] = step.release.length > 0 ? [{ t: "extend", ids: step.release }] : [];
  return {
    rollout: { ...judged, begun: step.begun ?? rollout.begun, isOpen: rollout.isOpen || opens },
    members: [...placed.values()],
    reach: opens ? [...reach, { t: "everybody" }] : reach,
    story: storyOf(rollout, step, index, now),
  };
}

function storyOf({ strategy }: Rollout, step: Step, stage: number, now: number): StoryEntry[] {
  const name = strategy.stages[stage]?.name ?? "";
  const entry = { at: now, stage, by: serverItself, findings: [] };
  const ids = step.placed.map(({ agent }) => agent.id);
  if (step.begun !== undefined) {
    const text = `stage ${name} begins with ${ids.length} agents; ${step.begun.wanted} that can be reached are its share`;
    return [{ ...entry, event: "stage-begun", text }];
  }
  if (ids.length === 0) return [];
  const why = step.placed[0]?.because === "late" ? "came late" : "take the place of silent ones";
  const named = ids.length > 5 ? `${ids.length} agents` : ids.join(", ");
  return [{ ...entry, event: "released", text: `stage ${name}: ${named} ${why}` }];
}
