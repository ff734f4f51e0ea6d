import { describe, expect, it } from "vitest";
import { selectQuarantined } from "../../../../../src/supervisor/operations/control/select-quarantined.ts";

const entries = (...hashes: string[]) => hashes.map((hash) => ({ hash, reason: "it died", at: 1 }));
const select = (hash: string, ...hashes: string[]) =>
  selectQuarantined(entries(...hashes), { t: "hash", hash });

describe("selectQuarantined", () => {
  it("takes a hash, or its first six digits and more, in any case", () => {
    expect(select("abcdef0123", "abcdef0123", "ffff")).toEqual(["abcdef0123"]);
    expect(select("abcdef", "abcdef0123", "abcdee")).toEqual(["abcdef0123"]);
    expect(select("ABCDEF01", "abcdef0123")).toEqual(["abcdef0123"]);
  });

  it("takes fewer digits only where they are all", () => {
    expect(select("ab", "ab", "abcdef0123")).toEqual(["ab"]);
    expect(() => select("abcde", "abcdef0123")).toThrow("first 6 hexadecimal digits");
    expect(() => select("", "abcdef0123")).toThrow("first 6 hexadecimal digits");
    expect(() => select("../etc/passwd", "abcdef0123")).toThrow("first 6 hexadecimal digits");
  });

  it("refuses what fits several, unless it is one of them whole", () => {
    expect(() => select("abcdef", "abcdef01", "abcdef02")).toThrow("beginning of 2: abcdef01, abcdef02");
    expect(select("abcdef01", "abcdef01", "abcdef0123")).toEqual(["abcdef01"]);
  });

  it("says what is not there", () => {
    expect(() => select("123456", "abcdef01")).toThrow("nothing is quarantined under 123456");
  });

  it("finds an entry of packages, alone or with a configuration, by either of its hashes", () => {
    expect(select("packages:123456", "packages:12345678", "abcdef")).toEqual(["packages:12345678"]);
    expect(select("123456", "packages:12345678")).toEqual(["packages:12345678"]);
    const both = "abcdef01+packages:12345678";
    expect(select("12345678", both)).toEqual([both]);
    expect(select("abcdef", both)).toEqual([both]);
    expect(select("abcdef01", both, "abcdef01")).toEqual(["abcdef01"]);
    expect(select(both, both, "abcdef01")).toEqual([both]);
    expect(() => select("packages:abcdef", both)).toThrow("nothing is quarantined");
  });

  it("takes all, also of none", () => {
    expect(selectQuarantined(entries("a", "b"), { t: "all" })).toEqual(["a", "b"]);
    expect(selectQuarantined([], { t: "all" })).toEqual([]);
  });
});
