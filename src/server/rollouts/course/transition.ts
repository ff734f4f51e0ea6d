import type { Strategy } from "../strategy/strategy.ts";
import type { Phase, RolloutState, Running } from "./state.ts";

/** What happens to a rollout, by a person or by itself. */
export type RolloutEvent =
  | { readonly t: "approved" }
  | { readonly t: "all-answered" }
  | { readonly t: "stage-passed" }
  /** A breach that pauses, or evidence that does not come. */
  | { readonly t: "held-up"; readonly reason: string }
  | { readonly t: "breached"; readonly reason: string }
  | { readonly t: "rollback-verified" }
  /** What they had before fails as well. */
  | { readonly t: "rollback-failed"; readonly reason: string }
  | { readonly t: "superseded"; readonly by: string }
  /** By a person, always with a reason. */
  | { readonly t: "pause" | "resume" | "promote" | "abort" | "roll-back"; readonly reason: string };

export type RolloutEventName = RolloutEvent["t"];

/** The next state, or why there is none: the event makes no sense here. */
export type Transition = { readonly state: RolloutState } | { readonly refused: string };

/** The state in which a rollout begins. */
export function firstState(strategy: Strategy, now: number): RolloutState {
  return strategy.approval ? { t: "pending" } : beginStage(strategy, 0, now);
}

/** The one place where a rollout's state changes. `now` is in Unix milliseconds. */
export function transition(
  strategy: Strategy,
  state: RolloutState,
  event: RolloutEvent,
  now: number,
): Transition {
  switch (event.t) {
    case "approved":
      return state.t === "pending"
        ? to(beginStage(strategy, 0, now))
        : refuse(state, "is not waiting for approval");
    case "all-answered":
      return isReleasing(state)
        ? to({ ...state, phase: { t: "dwelling", since: now } })
        : refuse(state, "is not releasing a stage");
    case "stage-passed":
      return state.t === "running" && state.phase.t !== "waiting"
        ? to(afterStage(strategy, state.stage, now))
        : refuse(state, "has no stage under way");
    case "held-up":
      return pause(state, event.reason, now);
    case "breached":
      return strategy.onBreach === "pause"
        ? pause(state, event.reason, now)
        : rollBack(state, event.reason, now);
    case "rollback-verified":
      return state.t === "rolling-back"
        ? to({ t: "rolled-back", reason: state.reason })
        : refuse(state, "is not rolling back");
    case "rollback-failed":
      return state.t === "rolling-back"
        ? to({ t: "paused", was: state, since: now, reason: event.reason })
        : refuse(state, "is not rolling back");
    case "superseded":
      return state.t === "pending" || state.t === "running" || state.t === "paused"
        ? to({ t: "superseded", by: event.by })
        : refuse(state, "is not under way");
    case "pause":
      return pause(state, event.reason, now);
    case "resume":
      return state.t === "paused" ? to(resumed(state.was, now)) : refuse(state, "is not paused");
    case "promote":
      return promote(strategy, state, now);
    case "abort":
      return state.t === "pending" || state.t === "running" || state.t === "paused"
        ? to({ t: "aborted", reason: event.reason })
        : refuse(state, "is not under way");
    case "roll-back":
      return rollBack(state, event.reason, now);
  }
}

function beginStage(strategy: Strategy, stage: number, now: number): Running {
  const waits = strategy.stages[stage]?.autoAdvance === false;
  const phase: Phase = waits ? { t: "waiting" } : { t: "releasing", since: now };
  return { t: "running", stage, phase };
}

function afterStage(strategy: Strategy, stage: number, now: number): RolloutState {
  return stage + 1 < strategy.stages.length ? beginStage(strategy, stage + 1, now) : { t: "done" };
}

function pause(state: RolloutState, reason: string, now: number): Transition {
  return state.t === "running" || state.t === "rolling-back"
    ? to({ t: "paused", was: state, since: now, reason })
    : refuse(state, "is not running");
}

/** What was watched before the pause is watched anew: the time in between proves nothing. */
function resumed<S extends Running | (RolloutState & { t: "rolling-back" })>(
  was: S,
  now: number,
): RolloutState {
  if (was.t === "rolling-back") return { ...was, since: now };
  return was.phase.t === "waiting" ? was : { ...was, phase: { ...was.phase, since: now } };
}

/** A person takes the responsibility for the gates of this stage. */
function promote(strategy: Strategy, state: RolloutState, now: number): Transition {
  const running = state.t === "paused" ? state.was : state;
  if (running.t !== "running") return refuse(state, "is not in a stage that could be promoted");
  if (running.phase.t === "waiting") {
    return to({ ...running, phase: { t: "releasing", since: now } });
  }
  const next = afterStage(strategy, running.stage, now);
  // Promoting says yes to the next stage, too.
  const isWaiting = next.t === "running" && next.phase.t === "waiting";
  return to(isWaiting ? { ...next, phase: { t: "releasing", since: now } } : next);
}

function rollBack(state: RolloutState, reason: string, now: number): Transition {
  switch (state.t) {
    case "running":
      return to({ t: "rolling-back", stage: state.stage, since: now, reason });
    case "paused":
      return to({ t: "rolling-back", stage: state.was.stage, since: now, reason });
    case "done":
    case "aborted":
      return to({ t: "rolling-back", stage: Number.MAX_SAFE_INTEGER, since: now, reason });
    case "pending":
      return refuse(state, "has reached nobody: abort it");
    case "rolling-back":
    case "rolled-back":
    case "superseded":
      return refuse(
        state,
        state.t === "superseded" ? "has been superseded: roll that one back" : "is back already",
      );
  }
}

function isReleasing(state: RolloutState): state is Running & { phase: { t: "releasing" } } {
  return state.t === "running" && state.phase.t === "releasing";
}

function to(state: RolloutState): Transition {
  return { state };
}

function refuse(state: RolloutState, why: string): Transition {
  return { refused: `this rollout ${why}: it is ${state.t}` };
}
