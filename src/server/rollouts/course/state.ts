/** Where a stage stands. Times are Unix milliseconds. */
export type Phase =
  /** The stage begins only when a person says so. */
  | { readonly t: "waiting" }
  /** Agents are being offered it, or have not all answered. */
  | { readonly t: "releasing"; readonly since: number }
  /** All have answered, or are silent; it is being watched. */
  | { readonly t: "dwelling"; readonly since: number };

export interface Running {
  readonly t: "running";
  /** Counted from 0. */
  readonly stage: number;
  readonly phase: Phase;
}

/** Those that took it are being offered what they had before. */
export interface RollingBack {
  readonly t: "rolling-back";
  readonly stage: number;
  readonly since: number;
  readonly reason: string;
}

/** Where a rollout stands. */
export type RolloutState =
  /** A second person has to approve it first. */
  | { readonly t: "pending" }
  | Running
  | {
      readonly t: "paused";
      readonly was: Running | RollingBack;
      readonly since: number;
      readonly reason: string;
    }
  | RollingBack
  | { readonly t: "rolled-back"; readonly reason: string }
  | { readonly t: "done" }
  /** Stopped where it was: who has it keeps it, nobody else gets it. */
  | { readonly t: "aborted"; readonly reason: string }
  /** A newer rollout of the same lane has taken its place. */
  | { readonly t: "superseded"; readonly by: string };

/** Whether a rollout still has something to do. */
export function isUnderWay({ t }: RolloutState): boolean {
  return t === "pending" || t === "running" || t === "paused" || t === "rolling-back";
}

/** The stage that was begun last, counted from 0; undefined before the first and for what has ended. */
export function stageOf(state: RolloutState): number | undefined {
  switch (state.t) {
    case "running":
    case "rolling-back":
      return state.stage;
    case "paused":
      return state.was.stage;
    case "pending":
    case "rolled-back":
    case "done":
    case "aborted":
    case "superseded":
      return undefined;
  }
}
