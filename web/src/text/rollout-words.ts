import type { Finding, Rollout } from "../api/types.ts";
import type { StatusKind } from "../parts/status.tsx";

export const stateWords: Readonly<Record<Rollout["state"], { kind: StatusKind; text: string }>> = {
  pending: { kind: "warning", text: "Waiting for approval" },
  running: { kind: "busy", text: "Under way" },
  paused: { kind: "warning", text: "Paused" },
  "rolling-back": { kind: "bad", text: "Rolling back" },
  "rolled-back": { kind: "bad", text: "Rolled back" },
  done: { kind: "ok", text: "Done" },
  aborted: { kind: "idle", text: "Aborted" },
  superseded: { kind: "idle", text: "Superseded" },
};

export const levelWords: Readonly<Record<Finding["level"], { kind: StatusKind; text: string }>> = {
  ok: { kind: "ok", text: "Passes" },
  warning: { kind: "warning", text: "Warning" },
  critical: { kind: "bad", text: "Critical" },
  no_evidence: { kind: "idle", text: "No evidence yet" },
  not_applicable: { kind: "idle", text: "Does not apply" },
};

export function isUnderWay({ state }: Pick<Rollout, "state">): boolean {
  return state === "pending" || state === "running" || state === "paused" || state === "rolling-back";
}

/** `env=prod`, or that everybody is meant. */
export function selectorWords(selector: string): string {
  return selector === "" ? "every agent" : selector;
}
