// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references of settings files look like that
import { describe, expect, it } from "vitest";
import { mapOf, textMap } from "../../../../src/foundation/settings-file/collections.ts";
import { opaque } from "../../../../src/foundation/settings-file/field.ts";
import { defaulted, section } from "../../../../src/foundation/settings-file/section.ts";
import { loadText, problemsOf } from "./support.ts";

const schema = section({
  text: defaulted("text", textMap(), {}),
  any: defaulted("any", mapOf(opaque()), {}),
});

const outside = {
  env: {
    PORT: "8080",
    LEAD: "007",
    EMPTY: "",
    NULL: "null",
    BOOL: "true",
    REF: "${env:PORT}",
    REF2: "x${env:PORT}y",
    DOLLARS: "a$$b$c",
    NAME: "PORT",
    LIST: "[a, b]",
    MAP: "{k: v, n: 1}",
    HASH: "abc #def",
    COMMENT: "#foo",
    QUOTED: "'q'",
    TAGGED: "!abc def",
    ALIAS: "*foo",
    FLOAT: "1e3",
    HEX: "0x1F",
    COLONS: "a: b: c",
    ESCAPED: "$${env:PORT}",
    REFS: "- ${env:PORT}\n- 'x${env:LEAD}'",
  },
  files: {
    "/inc.yaml": "k: ${env:PORT}\nl: [a, '${env:LEAD}']\nd: $$x\n",
    "/token": "tok-en\n",
    "/number": "42\n",
    "/pem": "-----BEGIN X-----\nabc==\n-----END X-----\n",
  },
};

/** What the Collector's own confmap 1.55 makes of each: as a field of text, and as one that takes anything. */
const cases: [expression: string, asText: string, asAny?: unknown][] = [
  ["plain", "plain"],
  ["$FOO", "$FOO"],
  ["$$FOO", "$FOO"],
  ["$${env:PORT}", "${env:PORT}"],
  ["$$${env:PORT}", "$8080"],
  ["$$$${env:PORT}", "$${env:PORT}"],
  ["${env:PORT} $${X}", "8080 ${X}"],
  // An escaped reference hides those behind it.
  ["a $${X} ${env:PORT}", "a ${X} ${env:PORT}"],
  ["${env:PORT}", "8080", 8080],
  ["${PORT}", "8080", 8080],
  ["p${env:PORT}", "p8080"],
  ["${env:PORT}${env:LEAD}", "8080007"],
  ["${env:LEAD}", "007", 7],
  ["${env:EMPTY}", "", null],
  ["a${env:EMPTY}b", "ab"],
  ["${env:UNSET}", "", null],
  ["${env:UNSET:-def}", "def"],
  ["${env:UNSET:-5}", "5", 5],
  ["${env:UNSET:-}", "", null],
  ["${env:EMPTY:-x}", "", null],
  ["${env:UNSET:-a:-b}", "a:-b"],
  ["${env:NULL}", "null", null],
  ["${env:BOOL}", "true", true],
  ["${env:REF}", "8080", 8080],
  ["${env:REF2}", "x8080y"],
  ["z${env:REF}", "z8080"],
  ["${env:DOLLARS}", "a$b$c"],
  ["${env:${NAME}}", "8080", 8080],
  ["${${env:NAME}}", "8080", 8080],
  ["${env:LIST}", "[a, b]", ["a", "b"]],
  ["x${env:LIST}", "x[a, b]"],
  ["${env:MAP}", "{k: v, n: 1}", { k: "v", n: 1 }],
  ["${env:HASH}", "abc #def"],
  ["${env:COMMENT}", "#foo", null],
  ["${env:QUOTED}", "'q'"],
  ["${env:TAGGED}", "!abc def"],
  ["${env:ALIAS}", "*foo"],
  ["${env:FLOAT}", "1e3", 1000],
  ["${env:HEX}", "0x1F", 31],
  ["${env:COLONS}", "a: b: c"],
  ["${env:ESCAPED}", "${env:PORT}"],
  ["y${env:ESCAPED}", "y${env:PORT}"],
  ["${env:REFS}", "- 8080\n- 'x007'", [8080, "x007"]],
  ["${file:/inc.yaml}", "k: 8080\nl: [a, '007']\nd: $x\n", { k: 8080, l: ["a", 7], d: "$x" }],
  ["${file:/token}", "tok-en\n"],
  ["${file:/../number}", "42\n", 42],
  ["${file:/pem}", "-----BEGIN X-----\nabc==\n-----END X-----\n"],
  ["${", "${"],
  ["${env:PORT", "${env:PORT"],
  ["a}b${env:PORT}", "a}b8080"],
  ["{${env:PORT}}", "{8080}"],
  ["$ {env:PORT}", "$ {env:PORT}"],
];

describe("references in values", () => {
  it.each(cases)("expands %j as the Collector does", (expression, asText, asAny = asText) => {
    const written = JSON.stringify(expression);
    const { settings } = loadText(`text: {x: ${written}}\nany: {x: ${written}}`, schema, outside);
    expect(settings).toEqual({ text: { x: asText }, any: { x: asAny } });
  });

  it("leaves keys alone", () => {
    const { settings } = loadText('text: {"${env:PORT}": a}', schema, outside);
    expect(settings.text).toEqual({ "${env:PORT}": "a" });
  });

  it.each([
    ["${file:/nope}", "cannot read the file of ${file:/nope}: ENOENT: no such file, open '/nope'"],
    ["x${http:foo}", 'unknown scheme "http" of a reference; expected env or file, or $$ for a dollar sign'],
    ["${a:b}", "expected ${env:NAME} or ${file:/path}; write $$ for a dollar sign"],
    ["${}", "a reference does not name an environment variable: expected letters, digits and underscores"],
    [
      "${env:1X}",
      "a reference does not name an environment variable: expected letters, digits and underscores",
    ],
    ["${env:A$B}", "a reference must not contain a dollar sign"],
  ])("refuses %j", (expression, message) => {
    expect(problemsOf(`text:\n  x: ${JSON.stringify(expression)}`, schema)).toEqual([
      `2:3 text.x: ${message}`,
    ]);
  });

  it.each([
    ["a variable that names itself", { env: { A: "${env:A}" } }],
    ["a variable that doubles itself", { env: { A: "${env:A} ${env:A}" } }],
    [
      "a file that includes itself",
      { env: { A: "${file:/a}" }, files: { "/a": "x: ${file:/a}\ny: ${file:/a}" } },
    ],
  ])("ends with an error on %s", (_, circle) => {
    const problems = problemsOf("any: {x: '${env:A}'}", schema, circle);
    expect(problems[0]).toContain("too many recursive expansions");
  });

  it("warns of a variable that is not set, with its place", () => {
    const { warnings } = loadText("text:\n  x: 1\n  y: a${env:NOPE}", schema);
    expect(warnings).toEqual(["s.yaml:3:3: text.y: ${env:NOPE} is not set; it is taken as empty"]);
  });

  it("does not warn where a default is given", () => {
    expect(loadText("text: {y: '${env:NOPE:-}'}", schema).warnings).toEqual([]);
  });
});

describe("secrets", () => {
  it("collects what references stood for, whole, without line ends, and each item of a list", () => {
    const text = "text: {a: 'Bearer ${file:/token}', b: '${env:CSV}', c: plain, d: '${env:NOPE:-fallback}'}";
    const { secrets } = loadText(text, schema, { env: { CSV: "one, two" }, files: outside.files });
    expect([...secrets]).toEqual(
      expect.arrayContaining(["tok-en", "tok-en\n", "Bearer tok-en", "one, two", "one", "two", "fallback"]),
    );
    expect(secrets).not.toContain("plain");
    expect(secrets).not.toContain("");
  });

  it("collects the values inside of an included map, with dollar signs as they are used", () => {
    const files = { "/m": "password: pa$$ss\nlist: [12345, {deep: inner}]" };
    const { secrets } = loadText("any: '${file:/m}'", schema, { files });
    expect([...secrets]).toEqual(expect.arrayContaining(["pa$ss", "12345", "inner"]));
  });
});
