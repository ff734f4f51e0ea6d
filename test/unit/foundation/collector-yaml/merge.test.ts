import { describe, expect, it } from "vitest";
import { mergeConfigurations } from "../../../../src/foundation/collector-yaml/merge.ts";

describe("mergeConfigurations", () => {
  it("merges maps recursively", () => {
    const earlier = { receivers: { otlp: { protocols: { grpc: null } } }, a: 1n };
    const later = { receivers: { otlp: { protocols: { http: null } }, nop: null } };
    expect(mergeConfigurations(earlier, later)).toEqual({
      receivers: { otlp: { protocols: { grpc: null, http: null } }, nop: null },
      a: 1n,
    });
  });

  it.each([
    ["a scalar", "x", { k: "y" }, "y"],
    ["a list", [1n, 2n], { k: [3n] }, [3n]],
    ["a map by null", { inner: 1n }, { k: null }, null],
    ["a map by a scalar", { inner: 1n }, { k: 2n }, 2n],
    ["a scalar by a map", 1n, { k: { inner: 2n } }, { inner: 2n }],
  ])("replaces %s", (_, before, later, after) => {
    expect(mergeConfigurations({ k: before }, later)).toEqual({ k: after });
  });

  it("makes one list of service.extensions, earlier first, without repeats", () => {
    const earlier = { service: { extensions: ["a", "opamp"], other: ["x"] } };
    const later = { service: { extensions: ["opamp", "b"], other: ["y"] } };
    expect(mergeConfigurations(earlier, later)).toEqual({
      service: { extensions: ["a", "opamp", "b"], other: ["y"] },
    });
  });

  it("lets null replace service.extensions", () => {
    const merged = mergeConfigurations({ service: { extensions: ["a"] } }, { service: { extensions: null } });
    expect(merged).toEqual({ service: { extensions: null } });
  });

  it("changes neither side and keeps a key called __proto__ a key", () => {
    const earlier = Object.freeze({ a: Object.freeze({ b: 1n }) });
    const later = JSON.parse('{"__proto__": {"polluted": "yes"}}') as Record<string, { polluted: string }>;
    const merged = mergeConfigurations(earlier, later);
    expect(Object.keys(merged)).toEqual(["a", "__proto__"]);
    expect(({} as { polluted?: string }).polluted).toBeUndefined();
  });
});
