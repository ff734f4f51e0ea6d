import { describe, expect, it } from "vitest";
import { signatureContentType } from "../../../../src/opamp/trust-entries.ts";
import { configurationFromEntries, isConfigMap } from "../../../../src/server/configurations/entries-body.ts";

const parse = (content: unknown, empty = false) =>
  configurationFromEntries(Buffer.from(typeof content === "string" ? content : JSON.stringify(content)), {
    empty,
  });
const signature = { content_type: signatureContentType, body: "# a.b.c\n" };
const yaml = (body: string) => ({ body });

describe("configurationFromEntries", () => {
  it("takes every entry byte for byte, the signature among them", () => {
    const body = "receivers: {}\r\n# ü\n";
    const { map } = parse({
      entries: { "": { content_type: "text/yaml", body }, more: yaml("a: 1"), signature },
    });
    const entries = Object.entries(map.configMap).map(([name, entry]) => [
      name,
      entry.contentType,
      Buffer.from(entry.body).toString(),
    ]);
    expect(entries).toEqual([
      ["", "text/yaml", body],
      ["more", "text/yaml", "a: 1"],
      ["signature", signatureContentType, signature.body],
    ]);
  });

  it("takes a signed order to stop where that is meant", () => {
    expect(Object.keys(parse({ entries: { signature } }, true).map.configMap)).toEqual(["signature"]);
    expect(() => parse({ entries: { signature } })).toThrow("no entry is a configuration");
    expect(() => parse({ entries: {} })).toThrow("no entry is a configuration");
    expect(() => parse({ entries: { "": yaml("a: 1") } }, true)).toThrow("empty=true");
  });

  it.each([
    ["entries: {}", "is not JSON"],
    [{ "": "a: 1" }, "is no map of entries"],
    [{ entries: { a: "b: 1" } }, "entries.a"],
    [{ entries: { a: { body: "b: 1", type: "x" } } }, "entries.a"],
    [{ entries: { a: yaml("- b") } }, 'the entry "a" is not a YAML mapping'],
    [{ entries: { a: yaml("b: [") } }, 'the entry "a" is not valid YAML'],
  ])("refuses %j", (content, message) => {
    expect(() => parse(content)).toThrow(message);
  });

  it("is asked for by its content type alone", () => {
    const type = "application/vnd.opamp-supervisor.config-map+json";
    expect(
      [type, `${type.toUpperCase()}; charset=utf-8`, "application/json", undefined].map((each) =>
        isConfigMap(each),
      ),
    ).toEqual([true, true, false, false]);
  });
});
