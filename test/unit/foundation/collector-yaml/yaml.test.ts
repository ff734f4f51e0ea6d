import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import type { Tree, Value } from "../../../../src/foundation/collector-yaml/tree.ts";
import { readYaml, YamlProblem } from "../../../../src/foundation/collector-yaml/yaml-reader.ts";
import { writeYaml } from "../../../../src/foundation/collector-yaml/yaml-writer.ts";

const trickyTexts = [
  ...["yes", "no", "on", "off", "y", "N", "True", "null", "~", "", "Null", ".nan", "-.inf", "<<", "="],
  ...["0x10", "1e3", "012", "08", "1_000", "0b11", "0o7", "1.", ".5", "+1", "-0", "12:30:45", "1:20"],
  ...["2001-01-01", "2001-12-14 21:59:43", "- a", "a: b", "a #b", "#x", "@x", "`x", "%x", "!x", "&x", "*x"],
  ...["a ", " a", "a\nb", "\n", "\t", "---", "...", "{}", "[]", "a,b", '"', "'", "\\", "\u0000", "\u0085"],
  ...[
    "\u2028",
    "\ufeff",
    "\u007f",
    "😀",
    "é",
    `$\{env:X}`,
    `$$\{env:X}`,
    "$$",
    "|",
    ">",
    "?",
    "? a",
    ":",
    "a:",
  ],
  "x".repeat(1500),
];

describe("reading", () => {
  it.each<[string, Value]>([
    ["1", 1n],
    ["1.0", 1],
    ["1e3", 1000],
    ["0x10", 16n],
    ["012", 10n],
    ["08", 8],
    ["0b11", 3n],
    ["0o17", 15n],
    ["1_000", 1000n],
    ["-5", -5n],
    ["+5", 5n],
    ["9223372036854775807", 9223372036854775807n],
    ["18446744073709551615", 18446744073709551615n],
    ["-9223372036854775809", -(2 ** 63)],
    ["18446744073709551616", 2 ** 64],
    [".5", 0.5],
    [".inf", Infinity],
    ["true", true],
    ["~", null],
    ["yes", "yes"],
    ["On", "On"],
    ["1.2.3", "1.2.3"],
    ["0x", "0x"],
    ["1e999", "1e999"],
    ["2001-01-01", "2001-01-01"],
    ["'1'", "1"],
    ['"true"', "true"],
    ["!!str 1", "1"],
    ["!!float 1", 1],
  ])("takes %s as the Collector does", (text, value) => {
    expect(readYaml(`k: ${text}`)).toEqual({ k: value });
  });

  it.each(["", "   \n", "# only a comment", "null", "~", "{}", "---\n"])(
    "takes %j as an empty map",
    (text) => {
      expect(readYaml(text)).toEqual({});
    },
  );

  it("follows aliases and merge keys", () => {
    const text = "base: &b {x: 1, y: 2}\none: {<<: *b, y: 3}\ntwo: {<<: [{x: 9}, *b]}\nthree: *b";
    expect(readYaml(text)).toEqual({
      base: { x: 1n, y: 2n },
      one: { x: 1n, y: 3n },
      two: { x: 9n, y: 2n },
      three: { x: 1n, y: 2n },
    });
  });

  it("takes a::b for nested keys, as the Collector does, but not in lists", () => {
    const text = "extensions::opamp::server: {ws: 1}\nextensions: {opamp: {x: 2}}\nl: [{a::b: 1}]";
    expect(readYaml(text)).toEqual({
      extensions: { opamp: { server: { ws: 1n }, x: 2n } },
      l: [{ "a::b": 1n }],
    });
  });

  it("reads keys as text", () => {
    expect(readYaml("1: a\ntrue: b\n0x10: c")).toEqual({ "1": "a", true: "b", "0x10": "c" });
  });

  it("keeps __proto__ an ordinary key", () => {
    const tree = readYaml("__proto__: {polluted: yes}\na: {__proto__: 1}");
    expect(Object.keys(tree)).toEqual(["__proto__", "a"]);
    expect(writeYaml(tree)).toBe('__proto__:\n  polluted: "yes"\na:\n  __proto__: 1\n');
  });

  const bomb = [
    "a0: &a0 [x]",
    ...Array.from({ length: 9 }, (_, n) => `a${n + 1}: &a${n + 1} [${Array(10).fill(`*a${n}`).join(",")}]`),
  ];
  it.each([
    ["malformed text", "a: b\nc: [1", /not valid YAML/, 2],
    ["two values in a line", "a: 1\nb: c: d", /not valid YAML/, 2],
    ["a list", "- a", /not a YAML map/, 1],
    ["a word", "hello", /not a YAML map/, 1],
    ["a key that is there twice", "a: 1\nb: 2\na: 3", /key "a" is there twice/, 3],
    ["a key that is a list", "a: 1\n? [b]\n: 2", /a key that is not plain text/, 2],
    ["an unknown tag", "a: !!binary aGk=", /tag/, 1],
    ["a tag that does not fit", "a: !!int x", /tag/, 1],
    ["an alias without an anchor", "a: *b", /alias|not valid/, 1],
    ["an alias of itself", "a: &a [*a]", /contains itself/, 1],
    ["two documents", "a: 1\n---\nb: 2", /more than one YAML document/, 2],
    ["an alias bomb", bomb.join("\n"), /too many aliases/, 6],
    ["deep nesting", `a: ${"[".repeat(200)}${"]".repeat(200)}`, /nested deeper than 100/, 1],
  ])("refuses %s", (_, text, message, line) => {
    let problem: unknown;
    try {
      readYaml(text);
    } catch (error) {
      problem = error;
    }
    expect(problem).toBeInstanceOf(YamlProblem);
    expect((problem as YamlProblem).message).toMatch(message);
    expect((problem as YamlProblem).line).toBe(line);
  });

  it("survives nesting that would overflow the stack", () => {
    expect(() => readYaml(`a: ${"[".repeat(50_000)}`)).toThrow(YamlProblem);
  });

  it("quotes no value in its problems", () => {
    for (const text of [
      "a: |hunter2\n  x",
      'k: "hunter2',
      "k: 'x' hunter2",
      "k: [hunter2",
      "k: hunter2: x",
      "&hunter2 x\n}: hunter2",
    ]) {
      expect(() => readYaml(text)).toThrow(
        expect.not.objectContaining({ message: expect.stringContaining("hunter2") }),
      );
    }
  });
});

const text = fc.oneof(
  fc.constantFrom(...trickyTexts),
  fc.string({ unit: "binary", maxLength: 12 }),
  fc.string({ unit: fc.constantFrom(..."0123456789abx_.+-eEoTZ: #'\"\\\n$~".split("")), maxLength: 8 }),
);
const key = text.filter((name) => !name.includes("::"));
const scalar: fc.Arbitrary<Value> = fc.oneof(
  text,
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
  fc.double(),
  fc.boolean(),
  fc.constant(null),
);
const { tree } = fc.letrec<{ value: Value; tree: Tree }>((tie) => ({
  value: fc.oneof({ depthSize: "small" }, scalar, fc.array(tie("value"), { maxLength: 4 }), tie("tree")),
  tree: fc.dictionary(key, tie("value"), { maxKeys: 5, noNullPrototype: true }),
}));

/** What any YAML 1.1 or 1.2 reader must agree about: texts and the shape, not the kinds of numbers. */
function shape(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shape);
  if (value instanceof Map) return [...value].map(([name, item]) => [name, shape(item)]).sort(byName);
  if (typeof value === "object" && value !== null) {
    return Object.entries(value)
      .map(([name, item]) => [name, shape(item)])
      .sort(byName);
  }
  return typeof value === "number" || typeof value === "bigint" ? "number" : value;
}
const byName = (a: unknown[], b: unknown[]) => (String(a[0]) < String(b[0]) ? -1 : 1);

describe("writing", () => {
  it("reads back as the same tree", () => {
    fc.assert(
      fc.property(tree, (original) => {
        expect(readYaml(writeYaml(original))).toEqual(original);
      }),
      { numRuns: 200 },
    );
  });

  it.each(["1.1", "1.2"] as const)("means the same to a YAML %s reader", (version) => {
    fc.assert(
      fc.property(tree, (original) => {
        const read: unknown = parse(writeYaml(original), { version, mapAsMap: true, merge: false });
        expect(shape(read)).toEqual(shape(original));
      }),
      { numRuns: 150 },
    );
  });

  it.each(trickyTexts)("keeps the text %j a text, as value and as key", (tricky) => {
    const original = { v: tricky, l: [tricky], m: { [tricky]: 1n } };
    expect(readYaml(writeYaml(original))).toEqual(original);
  });

  it("is stable whatever the order of keys", () => {
    expect(writeYaml({ b: { d: 1n, c: 2n }, a: [] })).toBe("a: []\nb:\n  c: 2\n  d: 1\n");
    expect(writeYaml({ a: [], b: { c: 2n, d: 1n } })).toBe("a: []\nb:\n  c: 2\n  d: 1\n");
  });

  it("keeps a float a float", () => {
    expect(writeYaml({ a: 1, b: 1n, c: 1e21, d: -0 })).toBe("a: 1.0\nb: 1\nc: 1e+21\nd: -0.0\n");
  });

  it("passes references on untouched", () => {
    const [reference, escaped] = [`$\{env:X}`, `$$\{env:X}`];
    expect(writeYaml({ a: reference, b: escaped, c: "$$" })).toBe(
      `a: "${reference}"\nb: "${escaped}"\nc: "$$"\n`,
    );
  });
});
