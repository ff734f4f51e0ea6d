import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Tree } from "../../../../src/foundation/collector-yaml/tree.ts";
import { readYaml } from "../../../../src/foundation/collector-yaml/yaml-reader.ts";
import { writeYaml } from "../../../../src/foundation/collector-yaml/yaml-writer.ts";
import { insertSecrets, secretReference } from "../../../../src/server/configurations/secret-reference.ts";
import { substitute } from "../../../../src/server/configurations/substitute.ts";
import {
  resolveValues,
  type Values,
  type Variables,
} from "../../../../src/server/configurations/variables.ts";

const variables: Variables = {
  rate: { type: "number", min: 0, max: 100 },
  env: { type: "enum", values: ["dev", "prod"] },
  debug: { type: "boolean", default: false },
  zone: { type: "string", required: false },
  token: { type: "secret", default: "gateway_token" },
};
const given = { rate: 10, env: "prod" };

const fill = (yaml: string, values: Values = given) =>
  substitute(readYaml(yaml), resolveValues(variables, values)).tree;

describe("substitute", () => {
  it("keeps the type where a variable is all of a value, and makes text of it inside text and keys", () => {
    const filled = fill(
      'a: "{{.rate}}"\nb: "{{ .rate }}%"\nc: ["{{.debug}}"]\n"otlp/{{.env}}": "{{.env}}"\n',
    );
    expect(filled).toEqual({ a: 10n, b: "10%", c: [false], "otlp/prod": "prod" });
    expect(fill('a: "{{.rate}}"', { ...given, rate: 0.5 })).toEqual({ a: 0.5 });
  });

  it("leaves out what a variable without a value is all of", () => {
    expect(fill('a: "{{.zone}}"\nb: [x, "{{.zone}}"]\nc: "in {{.zone}}."\n')).toEqual({
      b: ["x"],
      c: "in .",
    });
  });

  it("keeps maps only where their condition holds", () => {
    const yaml = [
      "exporters:",
      '  debug: {when: "{{.debug}}", verbosity: normal}',
      '  otlp: {when: "{{.env}} == prod && {{.rate}} >= 10", endpoint: x}',
      'list: [a, {when: "{{.env}} != prod", value: b}, {when: "!{{.debug}}", value: c}]',
      "filter: {when: always}",
    ].join("\n");
    expect(fill(yaml)).toEqual({
      exporters: { otlp: { endpoint: "x" } },
      list: ["a", "c"],
      filter: { when: "always" },
    });
    expect(fill(yaml, { rate: 1, env: "dev", debug: true })).toEqual({
      exporters: { debug: { verbosity: "normal" } },
      list: ["a", "b"],
      filter: { when: "always" },
    });
  });

  it("refuses, with the place, what it cannot fill", () => {
    const problemsOf = (yaml: string) => () => fill(yaml);
    expect(problemsOf('a: {b: ["{{.nope}}"]}')).toThrow("a.b[0]: {{.nope}} is no variable of this template");
    expect(problemsOf('a: {when: "{{.token}} == x"}')).toThrow("a.when: {{.token}} is a secret");
    expect(problemsOf('a: {when: "{{.env}} < prod"}')).toThrow("a.when: < compares numbers only");
    expect(problemsOf('x/prod: 1\n"x/{{.env}}": 2')).toThrow('the key "x/prod" is there twice');
  });

  it("refuses values that are missing, of another type, out of bounds or of no variable", () => {
    const messageOf = (values: Values) => () => resolveValues(variables, values);
    expect(messageOf({ env: "prod" })).toThrow("rate: needs a value (a number from 0 to 100)");
    expect(messageOf({ ...given, rate: "10" })).toThrow('rate: expected a number from 0 to 100, got "10"');
    expect(messageOf({ ...given, rate: 101 })).toThrow("rate: expected a number from 0 to 100, got 101");
    expect(messageOf({ ...given, env: "test" })).toThrow("env: expected one of dev, prod");
    expect(messageOf({ ...given, debug: "true" })).toThrow("debug: expected true or false");
    expect(messageOf({ ...given, rates: 1 })).toThrow("rates: is no variable of this template");
    expect(messageOf({ ...given, token: "s3cret text" })).not.toThrow("s3cret");
  });

  const value = fc.oneof(fc.string(), fc.boolean(), fc.double({ noNaN: true, noDefaultInfinity: true }));
  const typeOf = { string: "string", boolean: "boolean", number: "number" } as const;

  it("puts in any value as itself, and never looks at it again", () => {
    fc.assert(
      fc.property(value, fc.constantFrom("", "{{.x}}", `\${env:A}`), (one, suffix) => {
        const wanted = typeof one === "string" ? one + suffix : one;
        const declared = { x: { type: typeOf[typeof one as keyof typeof typeOf] } } as Variables;
        const { tree } = substitute({ a: "{{.x}}", b: ["-{{.x}}-"] }, resolveValues(declared, { x: wanted }));
        const number = typeof wanted === "number" && Number.isSafeInteger(wanted) ? BigInt(wanted) : wanted;
        expect(tree).toEqual({ a: number, b: [`-${String(number)}-`] });
        expect(readYaml(writeYaml(tree as Tree)).a).toEqual(
          typeof number === "string" ? number.toWellFormed() : number,
        );
      }),
    );
  });

  it("puts secrets into the written text so that they read as they are", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.stringMatching(/^[a-z:# ]*$/), (secret, around) => {
        const tree = { a: secretReference("one"), b: `${around} ${secretReference("two")}` };
        const secrets = new Map([
          ["one", secret],
          ["two", `\${secret:one}`],
        ]);
        const read = readYaml(insertSecrets(writeYaml(tree), secrets));
        expect(read.a).toBe(secret.replaceAll("$", "$$$$").toWellFormed());
        expect(read.b).toBe(`${around} $\${secret:one}`);
      }),
    );
  });
});
