import { describe, expect, it } from "vitest";
import { parseByteRange } from "../../../../src/server/packages/byte-range.ts";

const part = (first: number, last: number) => ({ t: "part", first, last });
const whole = { t: "whole" };
const unsatisfiable = { t: "unsatisfiable" };

describe("parseByteRange", () => {
  it.each([
    [undefined, whole],
    ["bytes=0-0", part(0, 0)],
    ["bytes=2-4", part(2, 4)],
    ["bytes=2-", part(2, 9)],
    ["bytes=9-", part(9, 9)],
    ["bytes=2-99", part(2, 9)],
    ["bytes=-3", part(7, 9)],
    ["bytes=-99", part(0, 9)],
    ["BYTES=2-4", part(2, 4)],
    ["bytes= 2-4 ", part(2, 4)],
    ["bytes=10-", unsatisfiable],
    ["bytes=10-12", unsatisfiable],
    ["bytes=-0", unsatisfiable],
    [`bytes=${"9".repeat(400)}-`, unsatisfiable],
    [`bytes=2-${"9".repeat(400)}`, part(2, 9)],
    // What may be ignored is.
    ["bytes=4-2", whole],
    ["bytes=-", whole],
    ["bytes=", whole],
    ["bytes=a-b", whole],
    ["bytes=0-1,3-4", whole],
    ["bytes=0x1-5", whole],
    ["bytes=+1-5", whole],
    ["items=0-1", whole],
    ["", whole],
  ])("of ten bytes takes %j", (header, expected) => {
    expect(parseByteRange(header, 10)).toEqual(expected);
  });
});
