import { describe, expect, it } from "vitest";
import { Throttle } from "../../../../../src/supervisor/packages/download/throttle.ts";
import { ManualClock } from "../../../../support/manual-clock.ts";

const never = new AbortController().signal;

describe("a bandwidth limit", () => {
  it("lets what fits into a second pass at once, and makes the rest wait its time", async () => {
    const clock = new ManualClock();
    const throttle = new Throttle(1_000, clock);
    await throttle.passed(1_000, never);
    const waiting = throttle.passed(500, never);
    expect(clock.pending).toEqual([500]);
    clock.advance(500);
    await waiting;
    const longer = throttle.passed(64_000, never);
    expect(clock.pending).toEqual([64_000]);
    clock.advance(64_000);
    await longer;
  });

  it("saves up for a second, and no longer", async () => {
    const clock = new ManualClock();
    const throttle = new Throttle(1_000, clock);
    clock.advance(3_600_000);
    await throttle.passed(1_000, never);
    void throttle.passed(1, never);
    expect(clock.pending).toEqual([1]);
  });

  it("ends when the download is aborted", async () => {
    const clock = new ManualClock();
    const abort = new AbortController();
    const waiting = new Throttle(1, clock).passed(100, abort.signal);
    abort.abort(new Error("no more"));
    await expect(waiting).rejects.toThrow("no more");
    expect(clock.pending).toEqual([]);
  });
});
