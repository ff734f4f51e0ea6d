import type * as z from "zod";
import type { Return } from "../rollouts/course/rollback.ts";
import type { Member, Rollout, StoryEntry } from "../rollouts/course/rollout.ts";
import type { Running } from "../rollouts/course/state.ts";
import type { Entry } from "../rollouts/rollout-book.ts";
import type { NewRollout, Rollouts } from "../rollouts/rollouts.ts";
import type { memberSchema, previewSchema, rolloutSchema, storyEntrySchema } from "./rollout-schema.ts";

/** A rollout as it is answered, without what can be large. */
export function rolloutView({ rollout, members }: Entry): z.infer<typeof rolloutSchema> {
  const { changes, createdAt, createdBy, id, message, selector, state, strategy } = rollout;
  const running = runningOf(rollout);
  return {
    id,
    state: state.t,
    reason: "reason" in state ? state.reason : null,
    phase: running?.phase.t ?? null,
    stage: running?.stage ?? null,
    changes: changes.map(({ kind, hash }) => ({ kind, hash })),
    selector,
    strategy: strategy.name,
    stages: strategy.stages.map((stage) => ({
      name: stage.name,
      selector: stage.selector.text,
      share: stage.size.t === "share" ? stage.size.share : null,
      count: stage.size.t === "count" ? stage.size.count : null,
      dwell_seconds: stage.dwellMs / 1000,
      auto_advance: stage.autoAdvance,
    })),
    message,
    created_at: timeOf(createdAt),
    created_by: createdBy,
    progress: progressOf([...members.values()]),
  };
}

function runningOf({ state }: Rollout): Running | undefined {
  if (state.t === "running") return state;
  return state.t === "paused" && state.was.t === "running" ? state.was : undefined;
}

export function progressOf(members: readonly Member[]) {
  const released = members.filter(({ releasedAt }) => releasedAt !== undefined);
  const count = (holds: (member: Member) => boolean) => released.filter(holds).length;
  return {
    members: members.length,
    released: released.length,
    applied: count(({ answer }) => answer.t === "applied"),
    failed: count(({ answer }) => answer.t === "failed"),
    waiting: count(({ answer, offeredAt }) => answer.t === "none" && offeredAt !== undefined),
    unreachable: count(({ answer, offeredAt }) => answer.t === "none" && offeredAt === undefined),
  };
}

export function storyView({ at, ...entry }: StoryEntry): z.infer<typeof storyEntrySchema> {
  return { ...entry, at: timeOf(at), findings: [...entry.findings] };
}

export function memberView(member: Member, back: Return | undefined): z.infer<typeof memberSchema> {
  const { answer, because, id, offeredAt, releasedAt, stage } = member;
  return {
    id,
    stage,
    because,
    released_at: releasedAt === undefined ? null : timeOf(releasedAt),
    offered_at: offeredAt === undefined ? null : timeOf(offeredAt),
    answer: answer.t,
    answered_at: answer.t === "none" ? null : timeOf(answer.at),
    error: answer.t === "failed" ? answer.reason : null,
    back: back?.t ?? null,
  };
}

function timeOf(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}

/** What a rollout would be, if it were started now. */
export function previewView(
  rollouts: Rollouts,
  wish: Omit<NewRollout, "by" | "message">,
): z.infer<typeof previewSchema> {
  const { id, places, candidates, nothingBelow } = rollouts.preview(wish);
  const placed = [...places];
  return {
    id,
    stages: wish.strategy.stages.map(({ name }, index) => ({
      name,
      adds: placed.filter(([, { stage }]) => stage === index).map(([agent]) => agent),
    })),
    blocked: candidates.flatMap((each) =>
      each.blocked === undefined ? [] : [{ id: each.id, reason: each.blocked }],
    ),
    unreachable: candidates.filter(({ reachable }) => !reachable).map((each) => each.id),
    nothing_below: nothingBelow,
  };
}
