import { describe, expect, it } from "vitest";
import { MessageAllowance } from "../../../../src/opamp/server/message-allowance.ts";
import { ManualClock } from "../../../support/manual-clock.ts";

/** Of ten messages a second. */
function start() {
  const clock = new ManualClock();
  const allowance = new MessageAllowance(10, clock);
  const take = (count: number, bytes = 0) =>
    Array.from({ length: count }, () => allowance.take(bytes)).at(-1);
  return { clock, take };
}

describe("MessageAllowance", () => {
  it("lets a burst through, and what comes after it at its rate", () => {
    const { clock, take } = start();
    expect(take(100)).toBe(0);
    expect(take(1)).toBeCloseTo(100);
    clock.advance(100);
    expect(take(1)).toBeCloseTo(100);
    clock.advance(1_000_000);
    expect(take(100)).toBe(0);
    expect(take(1)).toBeGreaterThan(0);
  });

  it("counts a large message as many", () => {
    const { take } = start();
    expect(take(1, 98 * 16 * 1024)).toBe(0);
    expect(take(2)).toBeGreaterThan(0);
  });

  it("is over once more came than is handled for a minute without a break", () => {
    const { clock, take } = start();
    expect(take(101)).toBeGreaterThan(0);
    clock.advance(60_000);
    expect(take(1)).toBe(0);
    for (let second = 0; second < 60; second += 1) {
      expect(take(110)).toBeGreaterThan(0);
      clock.advance(1_000);
    }
    expect(take(10)).toBeGreaterThan(0);
    clock.advance(1);
    expect(take(1)).toBeUndefined();
  });
});
