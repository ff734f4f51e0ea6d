import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AgentCapability } from "../../../src/opamp/bits.ts";
import { AvailableComponentsSchema } from "../../../src/opamp/messages.ts";
import { parseSelector, type Selectable, selectorOf } from "../../../src/opamp/selector.ts";
import { SelectorError, type SelectorExpression } from "../../../src/opamp/selector-parser.ts";

const agent: Selectable = {
  id: "0198c0de-0000-7000-8000-00000000000a",
  labels: {
    env: "prod",
    "service.name": "otelcol",
    "service.version": "0.150.0",
    "host.name": "web 1",
    empty: "",
    in: "x",
  },
  state: {
    capabilities: AgentCapability.ReportsStatus | AgentCapability.AcceptsPackages,
    availableComponents: create(AvailableComponentsSchema, {
      components: {
        receivers: { subComponentMap: { otlp: {}, "host/metrics": {} } },
        exporters: { subComponentMap: { debug: {} } },
      },
    }),
  },
};

describe("parseSelector", () => {
  it.each([
    ["", true],
    ["  ", true],
    ["env=prod", true],
    ["env == prod", true],
    ["env=dev", false],
    ["nothere=prod", false],
    ["env!=dev", true],
    ["env != prod", false],
    ["nothere!=x", true],
    ["env in (dev, prod)", true],
    ["env in(dev)", false],
    ["nothere in (a)", false],
    ["env notin (dev)", true],
    ["env notin (dev,prod)", false],
    ["nothere notin (a)", true],
    ["env", true],
    ["nothere", false],
    ["!nothere", true],
    ["! env", false],
    ["exists(env)", true],
    ["has(nothere)", false],
    ["has( service.name )", true],
    ["toString", false],
    ["env=prod,service.name=otelcol", true],
    ["env=prod,service.name=other", false],
    ['host.name="web 1"', true],
    ['empty=""', true],
    ["in=x", true],
    ["in in (x)", true],
    ["uid=0198c0de-0000-7000-8000-00000000000a", true],
    ["uid=0198C0DE-0000-7000-8000-00000000000A", true],
    ["uid=0198c0de-0000-7000-8000-00000000000b", false],
    ["uid!=0198c0de-0000-7000-8000-00000000000b", true],
    ["uid in (0198c0de-0000-7000-8000-00000000000a, other)", true],
    ["env=dev || env=prod", true],
    ["env=dev||nothere", false],
    ["env=dev || env=prod, nothere", false],
    ["(env=dev || env=prod), service.name", true],
    ["(env=dev || env=prod), nothere", false],
    ["((env=prod))", true],
    ["service.version>=0.150.0", true],
    ["service.version >= 0.9.0", true],
    ["service.version>0.150.0", false],
    ["service.version<=v0.150", true],
    ["service.version<1.0.0-rc.1", true],
    ["service.version>=0.149.0,service.version<0.150.0", false],
    ["env>=1", false],
    ["nothere<1", false],
    ["capability:AcceptsPackages", true],
    ["capability:AcceptsRestartCommand", false],
    ["!capability:AcceptsRestartCommand", true],
    ["component:receiver/otlp", true],
    ["component:receivers/host/metrics", true],
    ["component:exporter/otlp", false],
    ["component:otlp", true],
    ["!component:exporter/kafka", true],
  ])("%s -> %s", (text, expected) => {
    expect(parseSelector(text).matches(agent)).toBe(expected);
  });

  it.each([
    ["env=", 4, "a value after ="],
    ["=prod", 0, "a condition such as"],
    ["env=prod,", 9, "a condition such as"],
    ["env=prod region=eu", 9, '",", "||" or the end'],
    ["env in prod", 4, '",", "||" or the end'],
    ["env in (a, b", 12, '")"'],
    ["env in ()", 8, "a value"],
    ["!", 1, "a label after !"],
    ['env="open', 9, "a closing quote"],
    ["env=a=b", 5, '",", "||" or the end'],
    ["env=a |", 6, '",", "||" or the end'],
    ["env=a ||", 8, "a condition such as"],
    ["(env=a", 6, '")"'],
    ["service.version>= new", 18, "a version such as"],
    ["capability:AcceptsPackage", 0, "one of ReportsStatus, AcceptsRemoteConfig"],
    ["!capability:acceptsPackages", 1, "one of ReportsStatus"],
    ["env, component:", 5, "a component such as component:receiver/otlp"],
    ["(".repeat(40), 17, "no more than 16 parentheses"],
    ["has(env", 7, '")"'],
  ])("%s is refused at %i", (text, position, expected) => {
    expect(failureOf(text)).toMatchObject({
      name: "SelectorError",
      position,
      message: expect.stringContaining(`expected ${expected}`),
    });
    expect(() => parseSelector(text)).toThrow(`at character ${position + 1}`);
  });

  const word = fc.string({ minLength: 0, maxLength: 8, unit: "grapheme" });
  const key = word.filter((text) => text !== "uid");
  const agents = fc.record({
    id: fc.uuid(),
    labels: fc.dictionary(word, word, { maxKeys: 4 }),
    state: fc.constant({ capabilities: 0n }),
  });

  it("equals picks exactly the Agents with that label, whatever the characters", () => {
    fc.assert(
      fc.property(agents, key, word, (any, name, value) => {
        const quoted = (text: string) => `"${text.replaceAll(/["\\]/g, "\\$&")}"`;
        const selector = parseSelector(`${quoted(name)}=${quoted(value)}`);
        const has = Object.hasOwn(any.labels, name) && any.labels[name] === value;
        expect(selector.matches(any)).toBe(has);
        expect(parseSelector(`${quoted(name)}!=${quoted(value)}`).matches(any)).toBe(!has);
        expect(selector.matches({ ...any, labels: { ...any.labels, [name]: value } })).toBe(
          name !== "__proto__",
        );
      }),
    );
  });

  const version = fc.constantFrom("1.0.0", "v2", "1.2.3-rc.1");
  const { expression } = fc.letrec<{ expression: SelectorExpression }>((tie) => ({
    expression: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      fc.record({ op: fc.constantFrom("equals", "not-equals"), key, value: word }),
      fc.record({ op: fc.constantFrom("at-least", "above", "at-most", "below"), key, value: version }),
      fc.record({
        op: fc.constantFrom("in", "not-in"),
        key,
        values: fc.array(word, { minLength: 1, maxLength: 3 }),
      }),
      fc.record({ op: fc.constantFrom("exists", "not-exists"), key }),
      fc.record({
        op: fc.constantFrom("all", "any"),
        of: fc.array(tie("expression"), { minLength: 1, maxLength: 3 }),
      }),
    ) as fc.Arbitrary<SelectorExpression>,
  }));

  it("has one spelling that parses back to itself", () => {
    fc.assert(
      fc.property(expression, agents, (any, one) => {
        const selector = selectorOf(any);
        const again = parseSelector(selector.text);
        expect(again.text).toBe(selector.text);
        expect(again.expression).toEqual(selector.expression);
        expect(again.matches(one)).toBe(selector.matches(one));
      }),
    );
  });

  it("never throws anything but a SelectorError whose position lies in the text", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 20 }), (text) => {
        const failure = failureOf(text);
        const isGood =
          failure === undefined || (failure instanceof SelectorError && failure.position <= text.length);
        expect(isGood).toBe(true);
      }),
    );
  });
});

function failureOf(text: string): unknown {
  try {
    parseSelector(text);
    return undefined;
  } catch (error) {
    return error;
  }
}
