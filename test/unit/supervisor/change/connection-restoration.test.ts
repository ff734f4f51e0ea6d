import { describe, expect, it } from "vitest";
import {
  type LeftConnection,
  restoreConnection,
} from "../../../../src/supervisor/change/connection-restoration.ts";
import type { JournalEntry } from "../../../../src/supervisor/change/journal.ts";

const before = { hash: "01", key: "01" };
const offer = { hash: "02", key: "02" };
const kept = { overrides: { endpoint: "ws://kept/" }, offer: before, basis: "b" };
const verdict = { offer: before, outcome: "applied", reason: "", ownFault: false, at: 1 } as const;
const candidate = { id: "m", offer, overrides: { endpoint: "ws://candidate/" }, basis: "b" };

function left(step: JournalEntry["step"], more: Partial<JournalEntry> = {}): LeftConnection {
  const entry: JournalEntry = { kind: "connection", id: "m", detail: {}, step, attempt: 1, ...more };
  return { record: { kept, verdict }, candidate, entry };
}

describe("what a supervisor that died has left of offered connection settings (AN4)", () => {
  it.each(["staging", "checking", "switching", "proving"] as const)(
    "is tried beside what was kept when it died while %s",
    (step) => {
      const restored = restoreConnection(left(step), "b", 5);
      expect(restored.record).toEqual({ kept, verdict });
      expect(restored.unfinished?.candidate).toBe(candidate);
    },
  );

  it("counts as kept when it was proven", () => {
    const { record, unfinished } = restoreConnection(left("keeping"), "b", 5);
    expect(record.kept).toEqual({ overrides: candidate.overrides, offer, basis: "b" });
    expect(record.verdict).toMatchObject({ offer, outcome: "applied" });
    expect(unfinished).toBeUndefined();
  });

  it("counts as refused when it had failed", () => {
    const failure = { fault: "own", reason: "why" } as const;
    const { record, unfinished } = restoreConnection(left("reverting", { failure }), "b", 5);
    expect(record.kept).toBe(kept);
    expect(record.verdict).toEqual({ offer, outcome: "failed", reason: "why", ownFault: true, at: 5 });
    expect(unfinished).toBeUndefined();
  });

  it("is dropped when it is of another change, or nothing says what it is", () => {
    for (const entry of [undefined, { ...left("proving").entry!, id: "another" }]) {
      const restored = restoreConnection({ ...left("proving"), entry }, "b", 5);
      expect(restored).toEqual({ record: { kept, verdict }, unfinished: undefined, superseded: false });
    }
  });

  it.each([
    ["edited", "c"],
    ["told to accept no offers", undefined],
  ])("gives way to supervisor.yaml when that was %s", (_what, basis) => {
    for (const step of ["proving", "keeping"] as const) {
      const restored = restoreConnection(left(step), basis, 5);
      expect(restored.record).toEqual({ kept: null, verdict: null });
      expect(restored.unfinished).toBeUndefined();
      expect(restored.superseded).toBe(true);
    }
  });
});
