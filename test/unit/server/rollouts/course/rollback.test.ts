import { describe, expect, it } from "vitest";
import { type Return, rollbackProgress } from "../../../../../src/server/rollouts/course/rollback.ts";
import { defaultGates } from "../../../../../src/server/rollouts/strategy/gates-document.ts";

function progressOf(...returns: Return[]) {
  const byId = new Map(returns.map((each, index) => [`agent-${index}`, each] as const));
  return rollbackProgress(byId, defaultGates);
}

const back: Return = { t: "back" };

describe("a rollback", () => {
  it("goes on while anybody who can be reached has not answered", () => {
    expect(progressOf(back, { t: "under-way" }).event).toBeUndefined();
  });

  it("is complete when all are back, and tells of those that are not", () => {
    const { event, counts } = progressOf(back, { t: "away" }, { t: "nothing-below" }, { t: "silent" });
    expect(event?.what).toEqual({ t: "rollback-verified" });
    expect(event?.text).toBe(
      "1 of 4 agents are back, 1 are not connected and follow when they are, 1 do not answer, " +
        "1 had nothing before and keep it",
    );
    expect(counts).toEqual({ back: 1, away: 1, "nothing-below": 1, silent: 1, failed: 0, "under-way": 0 });
  });

  it("stops when what they had before fails as well, though others are still under way", () => {
    const { event } = progressOf(back, back, { t: "failed", reason: "no" }, { t: "under-way" });
    expect(event?.what).toMatchObject({ t: "rollback-failed", reason: expect.stringContaining("1 of 3") });
  });

  it("does not stop for one of very many", () => {
    const many = Array.from({ length: 500 }, () => back);
    expect(progressOf(...many, { t: "failed", reason: "no" }).event?.what.t).toBe("rollback-verified");
  });
});
