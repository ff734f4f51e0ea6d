import type { ServerEvent } from "../events.ts";
import type { News } from "./notification.ts";

type RolloutChanged = Extract<ServerEvent, { type: "rollout.changed" }>;

/** What is worth telling of a decision on a rollout; undefined for most. */
export function rolloutNews({ rollout, happened, state, by, text }: RolloutChanged): News | undefined {
  const about = { rollout, happened, state, by };
  const name = `Rollout ${rollout}`;
  switch (happened) {
    case "created":
      return state === "pending"
        ? {
            kind: "rollout.approval",
            severity: "warning",
            title: `${name} waits for approval`,
            text: `${by} wants it: ${text}\nA second person approves it: opamp-server ctl rollout approve ${rollout} --reason TEXT`,
            about,
          }
        : undefined;
    case "breached":
      return {
        kind: "rollout.breached",
        severity: "critical",
        title: state === "paused" ? `${name} was paused by a gate` : `${name} is taken back by a gate`,
        text,
        about,
      };
    case "held-up":
      return { kind: "rollout.breached", severity: "warning", title: `${name} stands still`, text, about };
    case "roll-back":
      return {
        kind: "rollout.rollback",
        severity: "warning",
        title: `${name} is taken back by ${by}`,
        text,
        about,
      };
    case "rollback-verified":
      return {
        kind: "rollout.rollback",
        severity: "info",
        title: `${name} was taken back everywhere`,
        text,
        about,
      };
    case "rollback-failed":
      return {
        kind: "rollout.rollback",
        severity: "critical",
        title: `${name} cannot be taken back`,
        text,
        about,
      };
    default:
      return undefined;
  }
}
