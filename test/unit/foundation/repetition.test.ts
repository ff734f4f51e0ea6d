import { describe, expect, it } from "vitest";
import { Repetition } from "../../../src/foundation/repetition.ts";
import { ManualClock } from "../../support/manual-clock.ts";

const minute = 60_000;

function told(times: number, everyMs: number, kind: (n: number) => string = () => "a") {
  const clock = new ManualClock();
  const repetition = new Repetition(clock);
  const lines: number[] = [];
  for (let n = 0; n < times; n += 1) {
    const count = repetition.next(kind(n));
    if (count !== undefined) lines.push(count);
    clock.advance(everyMs);
  }
  return { repetition, lines };
}

describe("Repetition", () => {
  it("tells the 1st, 2nd, 4th and so on", () => {
    expect(told(20, 1).lines).toEqual([1, 2, 4, 8, 16]);
  });

  it("tells one an hour besides, so that a log shows that it still goes on", () => {
    // A month of attempts, every 30 s.
    const { lines } = told(30 * 24 * 120, 30_000);
    expect(lines.length).toBeGreaterThan(30 * 24 - 20);
    expect(lines.length).toBeLessThan(30 * 24 + 20);
  });

  it("tells kinds apart, but not without end", () => {
    expect(told(6, minute, (n) => `kind ${n % 2}`).lines).toEqual([1, 1, 2, 2]);
    expect(told(1_000, 1, (n) => `kind ${n}`).lines.length).toBeLessThan(20);
  });

  it("begins anew when it is over", () => {
    const { repetition } = told(3, 1);
    repetition.reset();
    expect(repetition.next("a")).toBe(1);
  });
});
