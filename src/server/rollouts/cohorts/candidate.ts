import type { Selectable } from "../../../opamp/selector.ts";

/** An Agent that a rollout may reach, as placing it needs it. */
export interface Candidate extends Required<Selectable> {
  /** Whether an offer could reach it now. */
  readonly reachable: boolean;
  /** Why it cannot be offered this at all, in words; undefined when it can. */
  readonly blocked: string | undefined;
}

/** An Agent with this label set to `true` is in the first stage of every rollout that reaches it. */
const canaryLabel = "deployment.canary";

export function isCanary({ labels }: Pick<Candidate, "labels">): boolean {
  return Object.hasOwn(labels, canaryLabel) && labels[canaryLabel] === "true";
}
