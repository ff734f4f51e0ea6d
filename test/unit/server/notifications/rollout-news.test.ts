import { expect, it } from "vitest";
import { rolloutNews } from "../../../../src/server/notifications/rollout-news.ts";

const told = (happened: string, state: string) =>
  rolloutNews({
    type: "rollout.changed",
    rollout: "7",
    happened,
    state,
    by: "gates",
    text: "failed: 3 of 5",
  });

it.each([
  ["breached", "rolling-back", "rollout.breached", "critical", "Rollout 7 is taken back by a gate"],
  ["breached", "paused", "rollout.breached", "critical", "Rollout 7 was paused by a gate"],
  ["held-up", "paused", "rollout.breached", "warning", "Rollout 7 stands still"],
  ["roll-back", "rolling-back", "rollout.rollback", "warning", "Rollout 7 is taken back by gates"],
  ["rollback-verified", "rolled-back", "rollout.rollback", "info", "Rollout 7 was taken back everywhere"],
  ["rollback-failed", "paused", "rollout.rollback", "critical", "Rollout 7 cannot be taken back"],
] as const)("%s, and then %s, is told", (happened, state, kind, severity, title) => {
  expect(told(happened, state)).toMatchObject({ kind, severity, title, about: { rollout: "7" } });
});

it.each([
  "created",
  "approved",
  "stage-begun",
  "stage-passed",
  "all-answered",
  "released",
  "pause",
  "resume",
])("%s of a rollout that runs is nobody's trouble", (happened) => {
  expect(told(happened, "running")).toBeUndefined();
});
