import { describe, expect, it } from "vitest";
import { parseRetryAfter, throttleMs } from "../../../../src/opamp/agent/retry-after.ts";

const now = Date.parse("2026-01-01T00:00:00Z");

describe("parseRetryAfter", () => {
  it.each([
    ["120", 120_000],
    [" 0 ", 0],
    ["Thu, 01 Jan 2026 00:01:00 GMT", 60_000],
    ["Thursday, 01-Jan-26 00:01:00 GMT", 60_000],
    ["Thu Jan  1 00:01:00 2026", 60_000],
    ["Wed, 31 Dec 2025 23:59:00 GMT", 0],
  ])("AH12 reads %j", (header, ms) => expect(parseRetryAfter(header, now)).toBe(ms));

  it.each([undefined, "", "-5", "1.5", "soon", "2026-01-01T00:01:00Z", "Thu, 99 Foo 2026"])(
    "AH12 ignores %j",
    (header) => expect(parseRetryAfter(header, now)).toBeUndefined(),
  );
});

describe("throttleMs", () => {
  it("AH12 is 30 s when the server names no time", () => {
    expect(throttleMs(undefined, now)).toBe(30_000);
    expect(throttleMs("1", now)).toBe(1_000);
  });
});
