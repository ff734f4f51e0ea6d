import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createConfiguration } from "../../../../src/server/configurations/configuration.ts";

const entry = (body: string, contentType = "text/yaml") => ({ body: Buffer.from(body), contentType });

describe("createConfiguration", () => {
  it("names the same entries by the same hash, whatever their order (SC3)", () => {
    const one = createConfiguration({ a: entry("x: 1"), b: entry("y: 2") });
    const other = createConfiguration({ b: entry("y: 2"), a: entry("x: 1") });
    expect(other.hashHex).toBe(one.hashHex);
    expect(Buffer.from(one.hash).toString("hex")).toBe(one.hashHex);
    expect(one.hash).toHaveLength(32);
  });

  it("keeps its hashes from one version to the next", () => {
    expect(createConfiguration({}).hashHex).toBe(
      "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    );
    expect(createConfiguration({ "": entry("a: 1\n") }).hashHex).toMatchInlineSnapshot(
      `"fae9e139f04590bbe7e89fb5a2fd91519aba990617acf93c57efac73e7994d5d"`,
    );
  });

  it("tells different maps apart, also where their bytes run together (SC3)", () => {
    const texts = fc.string({ maxLength: 3 });
    const maps = fc.dictionary(
      texts.filter((name) => name !== "__proto__"),
      fc.tuple(texts, texts),
      { maxKeys: 3 },
    );
    fc.assert(
      fc.property(maps, maps, (first, second) => {
        const key = (map: typeof first) =>
          JSON.stringify(Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1)));
        const hash = (map: typeof first) =>
          createConfiguration(
            Object.fromEntries(Object.entries(map).map(([name, [body, type]]) => [name, entry(body, type)])),
          ).hashHex;
        expect(hash(first) === hash(second)).toBe(key(first) === key(second));
      }),
    );
    const joined = createConfiguration({ ab: entry("c", "") });
    expect(joined.hashHex).not.toBe(createConfiguration({ a: entry("bc", "") }).hashHex);
  });
});
