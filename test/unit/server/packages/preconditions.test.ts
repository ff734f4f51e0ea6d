import { describe, expect, it } from "vitest";
import { evaluatePreconditions, rangeApplies } from "../../../../src/server/packages/preconditions.ts";

const modified = new Date("2026-01-02T03:04:05.678Z");
const now = "Fri, 02 Jan 2026 03:04:05 GMT";
const earlier = "Fri, 02 Jan 2026 03:04:04 GMT";
const later = "Fri, 02 Jan 2026 03:04:06 GMT";
const validators = { etag: '"abc"', modified };

describe("evaluatePreconditions (RFC 9110, section 13)", () => {
  it.each([
    [{}, "proceed"],
    [{ "if-match": '"abc"' }, "proceed"],
    [{ "if-match": '"x", "abc"' }, "proceed"],
    [{ "if-match": "*" }, "proceed"],
    [{ "if-match": '"x"' }, "failed"],
    [{ "if-match": 'W/"abc"' }, "failed"],
    [{ "if-match": '"abc"', "if-unmodified-since": earlier }, "proceed"],
    [{ "if-unmodified-since": now }, "proceed"],
    [{ "if-unmodified-since": earlier }, "failed"],
    [{ "if-unmodified-since": "whenever" }, "proceed"],
    [{ "if-none-match": '"abc"' }, "not-modified"],
    [{ "if-none-match": 'W/"abc"' }, "not-modified"],
    [{ "if-none-match": "*" }, "not-modified"],
    [{ "if-none-match": '"x"' }, "proceed"],
    [{ "if-none-match": '"x"', "if-modified-since": later }, "proceed"],
    [{ "if-modified-since": now }, "not-modified"],
    [{ "if-modified-since": earlier }, "proceed"],
    [{ "if-match": '"x"', "if-none-match": '"abc"' }, "failed"],
  ] as const)("%j: %s", (headers, expected) => {
    expect(evaluatePreconditions(headers, validators)).toBe(expected);
  });
});

describe("rangeApplies (RFC 9110, section 13.1.5)", () => {
  it.each([
    [undefined, true],
    ['"abc"', true],
    ['"abd"', false],
    ['W/"abc"', false],
    [now, true],
    [earlier, false],
    [later, false],
    ["2026", false],
    ["", false],
  ])("If-Range: %s: %s", (ifRange, expected) => {
    expect(rangeApplies(ifRange, validators)).toBe(expected);
  });
});
