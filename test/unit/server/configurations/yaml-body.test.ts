import { describe, expect, it } from "vitest";
import { configurationFromBody } from "../../../../src/server/configurations/yaml-body.ts";

const good = "receivers:\n  otlp:\n    protocols:\n      grpc:\nexporters:\n  debug: # all of it\n";
const parse = (text: string, options: { empty?: boolean; contentType?: string } = {}) =>
  configurationFromBody(Buffer.from(text), { empty: false, ...options });

describe("configurationFromBody", () => {
  it("takes a mapping byte for byte as one unnamed entry (AC7)", () => {
    const { map } = parse(good);
    expect(Object.keys(map.configMap)).toEqual([""]);
    expect(Buffer.from(map.configMap[""]!.body).toString()).toBe(good);
    expect(map.configMap[""]!.contentType).toBe("text/yaml");
  });

  it.each([
    ["JSON on one line", '{"receivers": {"otlp": {}}}', "application/x-www-form-urlencoded"],
    ["a flow mapping", "receivers: {otlp: {}}", "application/x-www-form-urlencoded"],
    ["a comment on a line sent as it is", "receivers: {} # none", "text/yaml"],
    ["Windows line ends", "receivers:\r\n  otlp:\r\n", "text/yaml"],
    ["a document marker", "---\nreceivers:\n", ""],
  ])("takes %s", (_, text, contentType) => {
    expect(Object.keys(parse(text, { contentType }).map.configMap)).toEqual([""]);
  });

  it.each([
    ["nested keys run together", good.replaceAll("\n", "")],
    ["a leading comment swallows the rest", `# mine\n${good}`.replaceAll("\n", "")],
    ["a trailing comment swallows the rest", "receivers: # mine\n  otlp:\n".replaceAll("\n", "")],
    ["Windows line ends removed", good.replaceAll("\n", "\r\n").replaceAll(/[\r\n]/g, "")],
  ])("names --data-binary when %s", (_, text) => {
    expect(() => parse(text, { contentType: "application/x-www-form-urlencoded" })).toThrow(/--data-binary/);
  });

  it.each([
    ["a list", "- a\n- b\n", /not a YAML mapping, line 1/],
    ["a word", "hello\n", /not a YAML mapping, line 1/],
    ["only comments", "# one\n# two\n", /no YAML document/],
    ["a late error", "a: 1\nb:\n\t- x\n", /not valid YAML, line 3, column/],
    ["an unclosed quote", 'a: "x\nb: 1\n', /not valid YAML, line \d/],
    ["a repeated key", "a: 1\nb: 2\na: 3\n", /not valid YAML, line 3.*unique/],
    ["two documents", "a: 1\n---\nb: 2\n", /more than one YAML document/],
    ["bytes that are not text", "\u0000", /not/],
  ])("refuses %s", (_, text, message) => {
    expect(() => parse(text)).toThrow(message);
  });

  it("refuses what is not UTF-8", () => {
    expect(() => configurationFromBody(Buffer.from([0x61, 0xff]), { empty: false })).toThrow(/UTF-8/);
  });

  it("takes no body for an empty configuration only when told so (SC5)", () => {
    expect(() => parse("")).toThrow(/empty=true/);
    expect(() => parse(" \n")).toThrow(/empty=true/);
    expect(parse("", { empty: true }).map.configMap).toEqual({});
    expect(() => parse(good, { empty: true })).toThrow(/not empty/);
  });
});
