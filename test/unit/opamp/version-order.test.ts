import { describe, expect, it } from "vitest";
import { compareVersions } from "../../../src/opamp/version-order.ts";

describe("compareVersions", () => {
  it("has the order of Semantic Versioning", () => {
    const ordered = [
      "0.9.0",
      "0.10.0",
      "1.0.0-alpha",
      "1.0.0-alpha.1",
      "1.0.0-alpha.beta",
      "1.0.0-beta.2",
      "1.0.0-beta.11",
      "1.0.0-rc.1",
      "1.0.0",
      "v1.0.1",
      "2",
    ];
    for (const [index, older] of ordered.entries()) {
      for (const newer of ordered.slice(index + 1)) {
        expect(compareVersions(older, newer), `${older} ${newer}`).toBeLessThan(0);
        expect(compareVersions(newer, older), `${newer} ${older}`).toBeGreaterThan(0);
      }
    }
  });

  it.each([
    ["1.0", "1.0.0"],
    ["v1.2.3", "1.2.3+build.7"],
  ])("holds %s and %s to be the same", (a, b) => {
    expect(compareVersions(a, b)).toBe(0);
  });

  it.each(["", "latest", "1.x", "-1", "1..2"])("takes %j for no version", (text) => {
    expect(compareVersions(text, "1.0.0")).toBeUndefined();
  });
});
