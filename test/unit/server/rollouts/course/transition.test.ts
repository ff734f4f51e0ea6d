import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isUnderWay, type RolloutState } from "../../../../../src/server/rollouts/course/state.ts";
import {
  firstState,
  type RolloutEvent,
  transition,
} from "../../../../../src/server/rollouts/course/transition.ts";
import { parseStrategy } from "../../../../../src/server/rollouts/strategy/parse-strategy.ts";
import { readyMadeStrategies } from "../../../../../src/server/rollouts/strategy/ready-made.ts";
import type { Strategy } from "../../../../../src/server/rollouts/strategy/strategy.ts";

const strategy = readyMadeStrategies.get("standard")!;
const approved = parseStrategy({ ...strategy.document, name: "approved", approval: true });

function after(events: readonly RolloutEvent[], by = strategy): RolloutState | string {
  let state = firstState(by, 0);
  for (const [index, event] of events.entries()) {
    const next = transition(by, state, event, index + 1);
    if ("refused" in next) return next.refused;
    ({ state } = next);
  }
  return state;
}

const reason = "because";
const passes: RolloutEvent[] = [{ t: "all-answered" }, { t: "stage-passed" }];

describe("the state of a rollout", () => {
  it("goes through every stage to done, and waits for a person where it is to", () => {
    expect(after(passes)).toEqual({ t: "running", stage: 1, phase: { t: "releasing", since: 2 } });
    const atProduction = [...passes, ...passes];
    expect(after(atProduction)).toEqual({ t: "running", stage: 2, phase: { t: "waiting" } });
    expect(after([...atProduction, { t: "stage-passed" }])).toContain("has no stage under way");
    expect(after([...atProduction, { t: "promote", reason }, ...passes])).toEqual({ t: "done" });
  });

  it("begins only when approved, where approval is needed", () => {
    expect(after([], approved)).toEqual({ t: "pending" });
    expect(after([{ t: "promote", reason }], approved)).toContain("it is pending");
    expect(after([{ t: "roll-back", reason }], approved)).toContain("has reached nobody");
    expect(after([{ t: "approved" }], approved)).toMatchObject({ t: "running", stage: 0 });
  });

  it("is watched anew after a pause", () => {
    const paused = after([{ t: "all-answered" }, { t: "pause", reason }]);
    expect(paused).toMatchObject({ t: "paused", reason, was: { stage: 0 } });
    expect(after([{ t: "all-answered" }, { t: "pause", reason }, { t: "resume", reason }])).toEqual({
      t: "running",
      stage: 0,
      phase: { t: "dwelling", since: 3 },
    });
  });

  it("rolls back at a breach, or pauses where the strategy says so", () => {
    const breached: RolloutEvent = { t: "breached", reason };
    expect(after([breached])).toMatchObject({ t: "rolling-back", reason });
    const pausing = parseStrategy({ ...strategy.document, on_breach: "pause" });
    expect(after([breached], pausing)).toMatchObject({ t: "paused", reason });
    expect(after([breached, { t: "rollback-verified" }])).toEqual({ t: "rolled-back", reason });
  });

  it("stops rolling back when the old one fails as well, and goes on when a person says so", () => {
    const events: RolloutEvent[] = [
      { t: "roll-back", reason },
      { t: "rollback-failed", reason: "the old one fails" },
    ];
    expect(after(events)).toMatchObject({ t: "paused", was: { t: "rolling-back" } });
    expect(after([...events, { t: "promote", reason }])).toContain("could be promoted");
    expect(after([...events, { t: "resume", reason }])).toMatchObject({ t: "rolling-back" });
  });

  it("can go back from done and from aborted, and from nothing else that has ended", () => {
    const all = [...passes, ...passes, { t: "promote", reason } as const, ...passes];
    expect(after([...all, { t: "roll-back", reason }])).toMatchObject({ t: "rolling-back" });
    expect(
      after([
        { t: "abort", reason },
        { t: "roll-back", reason },
      ]),
    ).toMatchObject({ t: "rolling-back" });
    expect(
      after([
        { t: "superseded", by: "r2" },
        { t: "roll-back", reason },
      ]),
    ).toContain("superseded");
  });

  it("never leaves an end but to go back, whatever happens", () => {
    const events = fc.oneof(
      fc.constantFrom<RolloutEvent>(
        { t: "approved" },
        { t: "all-answered" },
        { t: "stage-passed" },
        { t: "rollback-verified" },
        { t: "superseded", by: "r2" },
      ),
      fc
        .constantFrom(
          "pause",
          "resume",
          "promote",
          "abort",
          "roll-back",
          "breached",
          "held-up",
          "rollback-failed",
        )
        .map((t): RolloutEvent => ({ t, reason })),
    );
    const holds = (by: Strategy, happenings: readonly RolloutEvent[]) => {
      let state = firstState(by, 0);
      for (const event of happenings) {
        const next = transition(by, state, event, 1);
        if ("refused" in next) continue;
        if (!isUnderWay(state) && next.state.t !== "rolling-back") return false;
        // Nothing but a person lets a stage that waits for one begin.
        const waits = state.t === "running" && state.phase.t === "waiting";
        const begins = next.state.t === "running" && next.state.phase.t !== "waiting";
        if (waits && begins && event.t !== "promote") return false;
        state = next.state;
      }
      return true;
    };
    const strategies = fc.constantFrom(strategy, approved);
    fc.assert(
      fc.property(strategies, fc.array(events, { maxLength: 30 }), (by, happenings) => {
        expect(holds(by, happenings)).toBe(true);
      }),
    );
  });
});
