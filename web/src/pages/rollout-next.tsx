import type { RolloutDetail } from "../api/types.ts";
import { counted, duration, useNow } from "../parts/text.tsx";
import type { Stages } from "./rollout-stages.tsx";

/** What the server waits for, and what it does then. */
export function WhatNext({ rollout, stages }: { rollout: RolloutDetail; stages: Stages | undefined }) {
  const now = useNow(1_000);
  const text = nextOf(rollout, stages, now);
  return text === undefined ? null : <p class="rollout-next">{text}</p>;
}

function nextOf(rollout: RolloutDetail, stages: Stages | undefined, now: number): string | undefined {
  const { phase, progress, stage, state } = rollout;
  const name = stage === null ? "" : (rollout.stages[stage]?.name ?? "");
  switch (state) {
    case "pending":
      return "Next: it starts when a second person approves it. It has reached nobody.";
    case "paused":
      return "Next: nothing until somebody resumes it, promotes it or rolls it back. Nobody else is reached meanwhile.";
    case "rolling-back":
      return "Next: every agent that took it is offered what it had before, until each says that it runs it.";
    case "running":
      break;
    case "rolled-back":
    case "done":
    case "aborted":
    case "superseded":
      return undefined;
  }
  const after = afterStage(rollout);
  if (phase === "waiting") return `Next: stage ${name} begins when somebody promotes it.`;
  if (phase === "releasing") {
    const open = progress.released - progress.applied - progress.failed - progress.unreachable;
    return `Next: ${counted(open, "answer")} of stage ${name} still to come; then it is watched for ${duration(dwellOf(rollout))}${after}.`;
  }
  const end = stages?.dwell_ends_at;
  if (!end) return `Next: stage ${name} is watched${after}.`;
  const left = (Date.parse(end) - now) / 1000;
  return left > 0
    ? `Next: stage ${name} is watched for another ${duration(left)}${after}, if every gate passes.`
    : `Next: the time of stage ${name} is over; it passes when every gate has its evidence${after}.`;
}

function dwellOf({ stage, stages }: RolloutDetail): number {
  return stage === null ? 0 : (stages[stage]?.dwell_seconds ?? 0);
}

function afterStage({ stage, stages }: RolloutDetail): string {
  const following = stage === null ? undefined : stages[stage + 1];
  if (following === undefined) return ", then it is done";
  return following.auto_advance
    ? `, then stage ${following.name} begins`
    : `, then stage ${following.name} waits for a person`;
}
