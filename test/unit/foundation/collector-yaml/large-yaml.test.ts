import { describe, expect, it } from "vitest";
import { readYaml } from "../../../../src/foundation/collector-yaml/yaml-reader.ts";
import { cutMap } from "../../../../src/foundation/collector-yaml/yaml-sections.ts";
import { hashYaml, writeYaml } from "../../../../src/foundation/collector-yaml/yaml-writer.ts";
import { largePipelines } from "../../../support/demanding-configurations.ts";

const filler = (kibibytes: number) => `# ${"filler".repeat(20)}\n`.repeat(kibibytes * 9);
const sectionsOf = (text: string, size: number) =>
  cutMap(text, size)?.map(({ text, line, key }) => [text, line, key]);

describe("cutting a map", () => {
  it("cuts between entries, and into the values of large ones", () => {
    const text = "# x\n---\na: 1\nb:\n  c: 2\n  d: 3\n\n# about e\ne: [4,\n 5]\nf: 6\n";
    expect(sectionsOf(text, 20)).toEqual([
      ["# x\n---\na: 1\n", 0, undefined],
      ["  c: 2\n  d: 3\n\n# about e\n", 4, "b"],
      ["e: [4,\n 5]\nf: 6\n", 8, undefined],
    ]);
    expect(sectionsOf("  a: 1\r\n  b: 2\r\n", 4)).toEqual([
      ["  a: 1\r\n", 0, undefined],
      ["  b: 2\r\n", 1, undefined],
    ]);
  });

  it.each([
    ["a flow map", "{a: 1,\nb: 2\n}\n"],
    ["a list", "- a: 1\n- b: 2\n"],
    ["a text", "--- |\na: 1\nb: 2\n"],
    ["two documents", "a: 1\n---\nb: 2\n"],
    ["two document starts", "---\n---\na: 1\nb: 1\n"],
    ["a document end", "a: 1\n...\nb: 2\n"],
    ["directives", "%YAML 1.2\n---\na: 1\nb: 2\n"],
    ["merge keys", "a: &a {x: 1}\nb: 2\n<<: *a\n"],
    ["complex keys", "a: 1\n? b\n: 2\n"],
    ["nothing", ""],
  ])("leaves %s alone", (_, text) => {
    expect(cutMap(text, 1)).toBeUndefined();
  });

  it.each([
    ["a key of the map above that has no plain name", 'a:\n  b: 1\n  c: 2\n"d": 3\n'],
    ["a list in the column of its key", "a:\n- b: 1\n- c: 2\n"],
    ["an anchor", "a: &x\n  b: 1\n  c: 2\n"],
    ["a block text", "a: |\n  b: 1\n  c: 2\n"],
  ])("leaves the value whole before or with %s", (_, text) => {
    expect(cutMap(text, 1)?.[0]).toEqual({ text, line: 0, key: undefined });
  });
});

describe("a large text", () => {
  it("reads and writes as a small one does", () => {
    const text = largePipelines(200_000);
    const tree = readYaml(text);
    expect(readYaml(writeYaml(tree))).toEqual(tree);
    expect(readYaml(`{${JSON.stringify("x")}: 1}`)).toEqual({ x: 1n });
    expect(Object.keys(tree)).toEqual(["receivers", "processors", "exporters", "service"]);
    expect(Object.keys(tree.processors as object)).toHaveLength(50);
    expect(hashYaml(tree)).toBe(hashYaml(readYaml(writeYaml(tree))));
  });

  it.each<[string, string, unknown]>([
    ["anchors of another part", "a: &x {y: 1}\nFILLb: *x\nFILL", { a: { y: 1n }, b: { y: 1n } }],
    ["an alias as a key", "a: &x k\nFILLb:\n  *x : 1\nFILL", { a: "k", b: { k: 1n } }],
    [
      "a merge key of another part",
      "a: &x {y: 1}\nFILLb:\n  <<: *x\n  z: 2\nFILL",
      { a: { y: 1n }, b: { y: 1n, z: 2n } },
    ],
    ["nested keys by ::", "a::b: 1\nFILLa:\n  c: 2\nFILL", { a: { b: 1n, c: 2n } }],
    [
      "a quoted text over several lines",
      'a:\n  b: "x\n    c: y"\nFILL  d: 1\nFILL',
      { a: { b: "x c: y", d: 1n } },
    ],
    ["numbers as keys", "a:\n  1: x\nFILL  2: y\nFILL", { a: { 1: "x", 2: "y" } }],
    [
      "an own __proto__",
      "__proto__: 1\nFILLb: 2\nFILL",
      Object.fromEntries([
        ["__proto__", 1n],
        ["b", 2n],
      ]),
    ],
  ])("keeps %s", (_, text, tree) => {
    expect(readYaml(text.replaceAll("FILL", filler(40)))).toEqual(tree);
  });

  it.each<[string, string, RegExp]>([
    ["a key twice", "a: 1\nFILLa: 2 #!\nFILL", /"a" is there twice/],
    ["an inner key twice", "a:\n  b: 1\nFILL  b: 2 #!\nFILL", /"b" is there twice/],
    ["a syntax error", "a: 1\nFILLb: [\nc: 1 #!\nFILL", /not valid YAML/],
    ["an unknown anchor", "a: 1\nFILLb: *x #!\nFILL", /no anchor before it/],
    ["a null key", "a: 1\nFILLnull: #!\n  b: 1\nFILL  c: 1\n", /a key is missing/],
  ])("is refused for %s, with the line", (_, pattern, problem) => {
    const text = pattern.replaceAll("FILL", filler(40));
    const line = text.split("\n").findIndex((each) => each.includes("#!")) + 1;
    expect(() => readYaml(text)).toThrow(problem);
    expect(() => readYaml(text)).toThrow(expect.objectContaining({ line }));
  });

  it("gives the line also where only parts are read", () => {
    const text = `a: 1\n${filler(600)}b:\n  c: 1\n${filler(40)}  d: *nothing\n`;
    const line = text.split("\n").findIndex((each) => each.includes("nothing")) + 1;
    expect(() => readYaml(text)).toThrow(expect.objectContaining({ line }));
    expect(() => readYaml(`a: 1\n${filler(600)}a: 2\n`)).toThrow(/"a" is there twice/);
  });
});

describe("keys nested by ::", () => {
  it("may be many, and not deep", () => {
    const many = Array.from({ length: 10_000 }, (_, n) => `a::k${n}: ${n}`).join("\n");
    expect(Object.keys(readYaml(many).a as object)).toHaveLength(10_000);
    expect(() => readYaml(`? ${"a::".repeat(1000)}b\n: 1\n`)).toThrow(/nested deeper/);
    expect(() => readYaml(`${"a::".repeat(90)}b: {${"c::".repeat(20)}d: 1}`)).toThrow(/nested deeper/);
  });

  it("merge maps and replace the rest, in order", () => {
    expect(readYaml("a: {b: 1, c: {d: 1}}\na::c: {e: 2}\na::b: 3\nf::g: 1\nf: null")).toEqual({
      a: { b: 3n, c: { d: 1n, e: 2n } },
      f: null,
    });
    expect(readYaml("a: 1\na::b: 2")).toEqual({ a: { b: 2n } });
  });
});
