import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { diffLines } from "../../../src/foundation/line-diff.ts";

describe("diffLines", () => {
  it("shows changes with the lines around them", () => {
    const before = Array.from({ length: 20 }, (_, index) => `line ${index}`);
    const after = before.with(10, "other").toSpliced(18, 1);
    expect(diffLines(before.join("\n"), after.join("\n"))).toEqual([
      "@@ -8,7 +8,7 @@",
      " line 7",
      " line 8",
      " line 9",
      "-line 10",
      "+other",
      " line 11",
      " line 12",
      " line 13",
      "@@ -16,5 +16,4 @@",
      " line 15",
      " line 16",
      " line 17",
      "-line 18",
      " line 19",
    ]);
  });

  it("shows what is too much to compare as one change", () => {
    const lines = (prefix: string) => Array.from({ length: 3000 }, (_, index) => `${prefix}${index}`);
    const [a, b] = [lines("a"), lines("b")];
    expect(diffLines(["same", ...a].join("\n"), ["same", ...b].join("\n"))).toEqual([
      "@@ -1,3001 +1,3001 @@",
      " same",
      ...a.map((line) => `-${line}`),
      ...b.map((line) => `+${line}`),
    ]);
  });

  it("says nothing of texts that are the same", () => {
    expect(diffLines("a\nb\n", "a\nb")).toEqual([]);
  });

  it("holds what leads from one text to the other", () => {
    // So short that no line is left out.
    const lines = fc.array(fc.constantFrom("a", "b", "c"), { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(lines, lines, (before, after) => {
        fc.pre(before.join() !== after.join());
        const marked = diffLines(before.join("\n"), after.join("\n"));
        const side = (mark: string) =>
          marked.filter((line) => line[0] === " " || line[0] === mark).map((line) => line.slice(1));
        expect([side("-"), side("+")]).toEqual([before, after]);
      }),
    );
  });
});
