import { describe, expect, it } from "vitest";
import type { LinkFailure } from "../../../../src/opamp/agent/link.ts";
import { Reconnection } from "../../../../src/opamp/agent/reconnection.ts";
import { ManualClock } from "../../../support/manual-clock.ts";

const broken: LinkFailure = { error: new Error("broken"), pace: "at-once" };

function make(random: () => number) {
  const clock = new ManualClock();
  return { clock, reconnection: new Reconnection(clock, random) };
}

function throttled(retryAfterMs?: number): LinkFailure {
  return { error: new Error("busy"), pace: "throttled", retryAfterMs };
}

describe("Reconnection", () => {
  it("AW9 waits longer each time, between 1 s and 30 s", () => {
    const longest = make(() => 0).reconnection;
    expect([1, 2, 3, 4, 5, 6].map(() => longest.failed(broken))).toEqual([
      2000, 4000, 8000, 16_000, 30_000, 30_000,
    ]);
    const shortest = make(() => 1).reconnection;
    expect([1, 2, 3, 4, 5, 6].map(() => shortest.failed(broken))).toEqual([
      1000, 2000, 4000, 8000, 15_000, 15_000,
    ]);
  });

  it("AW8 tries at once after a link that lasted broke, and backs off when that fails", () => {
    const { clock, reconnection } = make(() => 0);
    reconnection.answered();
    clock.advance(5_000);
    expect(reconnection.failed(broken)).toBe(0);
    expect(reconnection.failed(broken)).toBe(2000);
  });

  it("P1 does not take a link for healthy that ended soon after its answer", () => {
    const { clock, reconnection } = make(() => 0);
    const waits = [1, 2, 3].map(() => {
      reconnection.answered();
      clock.advance(4_999);
      return reconnection.failed(broken);
    });
    expect(waits).toEqual([2000, 4000, 8000]);
    expect(clock.pending).toEqual([]);
  });

  it("AW9 backs off after a refusal even if the link was healthy", () => {
    const { clock, reconnection } = make(() => 0);
    reconnection.answered();
    clock.advance(5_000);
    expect(reconnection.failed({ error: new Error("HTTP 500"), pace: "backoff" })).toBe(2000);
  });

  it("D12 waits what the server asked, a little more, and never more than about an hour", () => {
    expect(make(() => 0).reconnection.failed(throttled(60_000))).toBe(60_000);
    expect(make(() => 1).reconnection.failed(throttled(60_000))).toBe(66_000);
    expect(make(() => 0).reconnection.failed(throttled(86_400_000))).toBe(3_600_000);
  });

  it("AW13 backs off when the server asked for no time, or for none at all", () => {
    const { reconnection } = make(() => 0);
    expect(reconnection.failed(throttled())).toBe(2000);
    expect(reconnection.failed(throttled(0))).toBe(4000);
  });
});
