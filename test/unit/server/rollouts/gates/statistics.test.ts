import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  chanceOfAtLeast,
  increaseThreshold,
  isAbove,
  median,
} from "../../../../../src/server/rollouts/gates/statistics.ts";

describe("a share in a sample", () => {
  it.each([
    // count, sample, above 0.1 %, above 0.5 %
    [1, 1, true, true],
    [1, 3, true, true],
    [1, 10, true, true],
    [1, 20, true, false],
    [1, 100, false, false],
    [2, 100, true, false],
    [3, 100, true, true],
    [18, 18_000, false, false],
    [40, 18_000, true, false],
    [110, 18_000, true, true],
  ])("%i of %i is above 0.1 %%: %s, above 0.5 %%: %s", (count, sample, warning, critical) => {
    expect([isAbove(count, sample, 0.001, 0.95), isAbove(count, sample, 0.005, 0.95)]).toEqual([
      warning,
      critical,
    ]);
  });

  it("that is at or below the threshold is never above it, and more is never less", () => {
    const sizes = fc.integer({ min: 1, max: 20_000 });
    const thresholds = fc.double({ min: 0.0001, max: 0.9, noNaN: true });
    const parts = fc.double({ min: 0, max: 1, noNaN: true });
    const holds = (sample: number, part: number, threshold: number) => {
      const count = Math.floor(part * sample);
      if (!isAbove(count, sample, threshold, 0.95)) return true;
      return count / sample > threshold && isAbove(Math.min(sample, count + 1), sample, threshold, 0.95);
    };
    fc.assert(
      fc.property(sizes, parts, thresholds, (...args) => {
        expect(holds(...args)).toBe(true);
      }),
    );
  });

  it("comes down to the share itself in a large sample", () => {
    fc.assert(
      fc.property(fc.double({ min: 0.001, max: 0.5, noNaN: true }), (threshold) => {
        expect(isAbove(Math.ceil(1.5 * threshold * 100_000), 100_000, threshold, 0.95)).toBe(true);
      }),
    );
  });
});

describe("the chance of so many", () => {
  it("is what summing every term gives", () => {
    /** The chance of fewer than k; for shares up to a half, where the first term is not too small to be a number. */
    const below = (k: number, n: number, p: number) => {
      let term = (1 - p) ** n;
      let sum = 0;
      for (let i = 0; i < k; i += 1) {
        sum += term;
        term *= ((n - i) / (i + 1)) * (p / (1 - p));
      }
      return sum;
    };
    const chance = (k: number, n: number, p: number) =>
      p <= 0.5 ? 1 - below(k, n, p) : below(n - k + 1, n, 1 - p);
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 60 }),
        fc.double({ min: 0.001, max: 0.9, noNaN: true }),
        fc.nat(60),
        (n, p, k) => {
          fc.pre(k <= n);
          expect(chanceOfAtLeast(k, n, p)).toBeCloseTo(chance(k, n, p), 8);
        },
      ),
    );
  });

  it("stays a number where factorials are astronomic", () => {
    expect(chanceOfAtLeast(9_000, 18_000, 0.5)).toBeCloseTo(0.503, 3);
    expect(chanceOfAtLeast(18_000, 18_000, 0.999)).toBeCloseTo(0.999 ** 18_000, 12);
  });
});

describe("an increase", () => {
  it("must be larger in a sample of fewer than five", () => {
    expect(increaseThreshold(0.1, 1)).toBeCloseTo(0.5);
    expect(increaseThreshold(0.1, 5)).toBe(0.1);
    expect(increaseThreshold(0.1, 500)).toBe(0.1);
  });

  it("is judged by the median", () => {
    expect(median([])).toBeUndefined();
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
  });
});
