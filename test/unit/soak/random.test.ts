import { describe, expect, it } from "vitest";
import { Random } from "../../../soak/random.ts";

const list = ["a", "b", "c", "d", "e"];
const picks = (random: Random, count: number) =>
  Array.from({ length: count }, () => random.pick(list)).join("");

describe("the random source of a soak", () => {
  it("says the same for the same seed, and something else for another", () => {
    expect(picks(new Random(6), 40)).toBe(picks(new Random(6), 40));
    expect(picks(new Random(6), 40)).not.toBe(picks(new Random(7), 40));
  });

  it("gives each part of a run its own, however much the others take", () => {
    const first = Random.part(6, 1);
    const used = Random.part(6, 1);
    picks(used, 100);
    expect(picks(Random.part(6, 2), 40)).toBe(picks(Random.part(6, 2), 40));
    expect(picks(Random.part(6, 2), 40)).not.toBe(picks(first, 40));
  });

  it("picks everything there is, about equally often", () => {
    const text = picks(Random.part(1, 1), 5_000);
    for (const each of list) {
      const share = text.split(each).length - 1;
      expect(share).toBeGreaterThan(800);
      expect(share).toBeLessThan(1_200);
    }
  });

  it("keeps both ends of a range", () => {
    const random = new Random(3);
    const seen = new Set(Array.from({ length: 500 }, () => random.between(2, 4)));
    expect([...seen].toSorted((a, b) => a - b)).toEqual([2, 3, 4]);
  });
});
