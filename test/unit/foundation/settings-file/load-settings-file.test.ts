// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references of settings files look like that
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import * as z from "zod/mini";
import { mapOf, textList, textMap } from "../../../../src/foundation/settings-file/collections.ts";
import { duration } from "../../../../src/foundation/settings-file/duration.ts";
import { boolean, integer, oneOf, opaque, text } from "../../../../src/foundation/settings-file/field.ts";
import { headerMap } from "../../../../src/foundation/settings-file/header-map.ts";
import { loadSettingsFile } from "../../../../src/foundation/settings-file/load-settings-file.ts";
import {
  defaulted,
  nested,
  optional,
  optionalText,
  required,
  section,
} from "../../../../src/foundation/settings-file/section.ts";
import { url } from "../../../../src/foundation/settings-file/url.ts";
import { failureOf, loadText, problemsOf } from "./support.ts";

const agent = section({
  name: required("name", text()),
  timeoutMs: defaulted("config_apply_timeout", duration(), 5000),
  files: defaulted("config_files", textList(), []),
  port: optional("port", integer({ min: 0, max: 65_535 })),
  user: optionalText("user", text()),
  strict: defaulted("strict", boolean(), false),
  mode: optional("mode", oneOf(["keep", "stop"])),
  headers: defaulted("headers", headerMap(), {}),
  env: defaulted("env", textMap(), {}),
  endpoint: optional(
    "endpoint",
    url(["https"], ({ fault }) => `bad ${fault}`),
  ),
  tree: optional("tree", opaque()),
});
const schema = section({ agent: nested("agent", agent) });

describe("a settings file", () => {
  it("is read from disk and validated, with this process's environment", () => {
    const directory = mkdtempSync(join(tmpdir(), "settings-"));
    try {
      const token = join(directory, "token");
      writeFileSync(token, "abc\n");
      writeFileSync(
        join(directory, "s.yaml"),
        `agent: {name: "\${HOME}", headers: {A: "\${file:${token}}"}}`,
      );
      const { settings } = loadSettingsFile(join(directory, "s.yaml"), schema);
      expect(settings.agent).toMatchObject({
        name: process.env.HOME,
        headers: { A: ["abc"] },
        timeoutMs: 5000,
      });
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it("that cannot be read is an error that names it", () => {
    expect(() => loadSettingsFile("/nope/s.yaml", schema)).toThrow(
      /^invalid settings: \/nope\/s.yaml: cannot read the file: ENOENT/,
    );
  });

  it("reports everything that is wrong with it, in the order of the file, each with line and column", () => {
    const file = `# a comment
agent:
  config_apply_timeout: soon
  config_files: [a, {b: c}]
  port: 70000
  strict: maybe
  mode: drop
other: 1
`;
    expect(problemsOf(file, schema)).toEqual([
      "2:1 agent.name: must be specified",
      '3:3 agent.config_apply_timeout: expected a duration such as 5s, got "soon"',
      "4:21 agent.config_files[1]: expected text, got a map",
      "5:3 agent.port: expected a whole number, 0 to 65535, got 70000",
      '6:3 agent.strict: expected true or false, got "maybe"',
      '7:3 agent.mode: expected one of keep, stop, got "drop"',
      "8:1 other: unknown key; known keys: agent",
    ]);
  });

  it("has its problems formatted like a compiler's", () => {
    expect(failureOf("agent:\n  name: x\n  port: -1", schema).message).toBe(
      "invalid settings: s.yaml:3:3: agent.port: expected a whole number, 0 to 65535, got -1",
    );
    expect(failureOf("agent:\n  port: -1", schema).message).toBe(
      "invalid settings:\n  s.yaml:1:1: agent.name: must be specified\n  s.yaml:2:3: agent.port: expected a whole number, 0 to 65535, got -1",
    );
  });

  it.each([
    ["config_flies: []", "2:3 agent.config_flies: unknown key; did you mean config_files?"],
    [
      "config_apply_timout: 1s",
      "2:3 agent.config_apply_timout: unknown key; did you mean config_apply_timeout?",
    ],
    ["Name: y", "2:3 agent.Name: unknown key; did you mean name?"],
  ])("names the nearest key for %j", (line, problem) => {
    expect(problemsOf(`agent:\n  ${line}\n  name: x`, schema)).toEqual([problem]);
  });

  it("lists the known keys where none is near", () => {
    const [problem] = problemsOf("agent:\n  zzzzzz: 1\n  name: x", schema);
    expect(problem).toMatch(/^2:3 agent.zzzzzz: unknown key; known keys: name, config_apply_timeout, /);
  });

  it.each(["agent:", "agent: ~", "agent: null", "agent: {}", "", "# nothing\n"])(
    "treats a section without content (%j) as if it were not there",
    (file) => {
      expect(problemsOf(file, schema)).toEqual(["1:1 agent.name: must be specified"]);
    },
  );

  it("gives the default of a key without a value", () => {
    const { settings } = loadText(
      "agent: {name: x, config_apply_timeout: , config_files: ~, user: ''}",
      schema,
    );
    expect(settings.agent).toMatchObject({ timeoutMs: 5000, files: [], user: undefined });
  });

  it("says which reference left a required key empty", () => {
    expect(problemsOf("agent:\n  name: ${env:NOPE}", schema)).toEqual([
      "2:3 agent.name: must be specified (${env:NOPE} is empty)",
    ]);
  });

  it.each([
    ["agent: [", "2:1", "Flow sequence"],
    ["a: 1\na: 2", "2:1", "Map keys must be unique"],
    ["agent: *nope", "1:1", "an alias without its anchor"],
    ["agent: {? [a] : b}", "1:11", "expected a key of plain text"],
    ["a: 1\n---\nb: 2", "2:1", "multiple documents"],
  ])("that is no YAML (%j) is an error with a place", (file, place, message) => {
    const [problem] = problemsOf(`${file}${file.endsWith("[") ? "\n" : ""}`, schema);
    expect(problem).toMatch(new RegExp(`^${place} : invalid YAML: .*${message}`));
  });

  it.each(["just text", "[a, b]", "5"])("must be a map at its top, not %j", (file) => {
    expect(problemsOf(file, schema)[0]).toMatch(/^1:1 : expected a map of keys, got (text|a list|a number)$/);
  });

  it("may use anchors, aliases and merge keys; own keys win", () => {
    const file = "agent:\n  tree: &t {a: 1, b: {c: 2}}\n  name: &n x\n  user: *n\n  env: {<<: *t, b: 3}";
    const { settings } = loadText(file, schema);
    expect(settings.agent).toMatchObject({ user: "x", env: { a: "1", b: "3" }, tree: { a: 1, b: { c: 2 } } });
  });

  it.each([
    ["an alias within its own anchor", "agent:\n  tree: &x [*x]"],
    [
      "an alias bomb",
      `a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n${Array.from(
        { length: 6 },
        (_, i) => `a${i + 1}: &a${i + 1} [${Array.from({ length: 10 }, () => `*a${i}`).join(", ")}]`,
      ).join("\n")}`,
    ],
  ])("with %s is refused", (_, file) => {
    const problems = problemsOf(file, schema);
    expect(problems).toEqual([
      expect.stringContaining("invalid YAML: too many values, or nested too deeply"),
    ]);
  });

  it("keeps names that objects have anyway", () => {
    const { settings } = loadText("agent: {name: x, env: {__proto__: a, constructor: b}}", schema);
    expect(Object.entries(settings.agent.env)).toEqual([
      ["__proto__", "a"],
      ["constructor", "b"],
    ]);
  });

  it("can be checked further with zod", () => {
    const checked = schema.check(
      z.refine(({ agent: { port } }) => port !== 22, { error: "22 is taken", path: ["agent", "port"] }),
    );
    expect(problemsOf("agent:\n  name: x\n  port: 22", checked)).toEqual(["3:3 agent.port: 22 is taken"]);
  });
});

describe("what came from a reference", () => {
  const secret = "s3cr3t";
  const outside = {
    env: {
      SECRET: secret,
      SECTION: `{${secret}: 1, port: ${secret}}`,
      HEADERS: `{"${secret} ": a}`,
      NESTED: `\${file:/${secret}}`,
      NESTED_SCHEME: `a\${${secret}:x}`,
      ENV: `${secret}: [1]\n${secret}2: \${env:${secret}-x}`,
      SCHEME: `${secret}://x`,
    },
  };

  it.each([
    ["name: {a: '${env:SECRET}'}", "agent.name: expected text, got a map"],
    ["config_apply_timeout: ${env:SECRET}", "got the value of ${env:SECRET}"],
    ["config_apply_timeout: a${env:SECRET}b", "got the value of ${env:SECRET}"],
    ["config_apply_timeout: ${env:NOPE:-s3cr3t}", "got the value of ${env:NOPE}"],
    ["port: ${env:SECRET}", "got the value of ${env:SECRET}"],
    ["strict: ${env:SECRET}", "got the value of ${env:SECRET}"],
    ["mode: ${env:SECRET}", "got the value of ${env:SECRET}"],
    ["endpoint: ${env:SCHEME}", "bad scheme"],
    ["config_files: [a, ['${env:SECRET}']]", "agent.config_files[1]: expected text, got a list"],
    ["env: ${env:SECRET}", "agent.env: expected a map, got the value of ${env:SECRET}"],
    ["env: ${env:ENV}", "agent.env: expected text, got the value of ${env:ENV}"],
    ["env: ${env:ENV}", "agent.env: the value of ${env:ENV} holds a reference that cannot be resolved"],
    ["headers: ${env:HEADERS}", "agent.headers: expected names of HTTP headers"],
    ["headers: {A: 'a\\n${env:SECRET}'}", "agent.headers.A[0]: "],
    [
      "user: ${env:NESTED}",
      "agent.user: the value of ${env:NESTED} holds a reference that cannot be resolved",
    ],
    ["user: ${env:NESTED_SCHEME}", "agent.user: the value of ${env:NESTED_SCHEME} holds a reference"],
  ])("does not show in the error about %j", (line, expected) => {
    const { message, problems } = failureOf(`agent:\n  ${line.replace("\\n", "\u2028")}`, schema, outside);
    expect(problems.map(({ path, message: text }) => `${path}: ${text}`).join("\n")).toContain(expected);
    expect(message).not.toContain(secret);
  });

  it("does not show when it is a whole section with unknown keys", () => {
    const { message, problems } = failureOf("agent: ${env:SECTION}", schema, outside);
    expect(problems.map(({ path }) => path)).toEqual(["agent", "agent.name", "agent.port"]);
    expect(message).toContain("unknown key in the value of ${env:SECTION}");
    expect(message).not.toContain(secret);
  });

  it("does not show in warnings", () => {
    const env = { A: `\${env:${secret}}` };
    const { warnings } = loadText("agent: {name: x, user: '${env:A}'}", schema, { env });
    expect(warnings).toEqual([expect.stringContaining("a reference in the value of ${env:A} is not set")]);
    expect(warnings.join()).not.toContain(secret);
  });

  it("is not complained about twice when the reference itself failed", () => {
    expect(problemsOf("agent: {name: x, port: '${file:/nope}'}", schema)).toHaveLength(1);
  });

  it("and header values and URLs written out do not show either", () => {
    const file = `agent:
  name: x
  headers: {"Authorization:Bearer ${secret}": , B: {${secret}: 1}, C: "a\u2028${secret}"}
  endpoint: https://user:${secret}@:x`;
    const { message, problems } = failureOf(file, schema);
    expect(problems).toHaveLength(4);
    expect(message).not.toContain(secret);
  });
});

describe("maps of sections", () => {
  it("report the name of the entry", () => {
    const many = section({ all: defaulted("all", mapOf(agent), {}) });
    expect(problemsOf("all:\n  one: {name: x}\n  two:\n    port: x", many)).toEqual([
      "3:3 all.two.name: must be specified",
      '4:5 all.two.port: expected a whole number, 0 to 65535, got "x"',
    ]);
  });
});
