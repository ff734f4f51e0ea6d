import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { lineDiff } from "../../../web/src/text/line-diff.ts";

const side = (lines: ReturnType<typeof lineDiff>, other: "added" | "removed") =>
  lines.filter(({ t }) => t !== other).map(({ text }) => text);

describe("lineDiff", () => {
  it("tells what was taken out and what was put in, in place", () => {
    expect(lineDiff("a\nb\nc\nd\n", "a\nx\nc\nd\ne\n")).toEqual([
      { t: "same", text: "a" },
      { t: "removed", text: "b" },
      { t: "added", text: "x" },
      { t: "same", text: "c" },
      { t: "same", text: "d" },
      { t: "added", text: "e" },
    ]);
  });

  it.each([
    ["", "", []],
    ["same\n", "same", [{ t: "same", text: "same" }]],
    ["", "new", [{ t: "added", text: "new" }]],
    ["old", "", [{ t: "removed", text: "old" }]],
  ])("of %j and %j", (before, after, expected) => {
    expect(lineDiff(before, after)).toEqual(expected);
  });

  it("always leads from the one text to the other", () => {
    const text = fc.array(fc.constantFrom("a", "b", "c", "d"), { maxLength: 30 });
    fc.assert(
      fc.property(text, text, (before, after) => {
        const lines = lineDiff(before.join("\n"), after.join("\n"));
        expect(side(lines, "added")).toEqual(before);
        expect(side(lines, "removed")).toEqual(after);
      }),
    );
  });

  it("does not take forever over texts that have nothing in common", () => {
    const long = (name: string) => Array.from({ length: 5_000 }, (_, line) => `${name}${line}`).join("\n");
    const lines = lineDiff(long("a"), long("b"));
    expect(lines.filter(({ t }) => t === "removed")).toHaveLength(5_000);
    expect(lines.filter(({ t }) => t === "added")).toHaveLength(5_000);
  });
});
