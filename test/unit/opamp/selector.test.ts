import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseSelector, type Selectable } from "../../../src/opamp/selector.ts";
import { SelectorError } from "../../../src/opamp/selector-parser.ts";

const agent: Selectable = {
  id: "0198c0de-0000-7000-8000-00000000000a",
  labels: { env: "prod", "service.name": "otelcol", "host.name": "web 1", empty: "", in: "x" },
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
  ])("%s -> %s", (text, expected) => {
    expect(parseSelector(text).matches(agent)).toBe(expected);
  });

  it.each([
    ["env=", 4, "a value after ="],
    ["=prod", 0, "a condition such as"],
    ["env=prod,", 9, "a condition such as"],
    ["env=prod region=eu", 9, '"," or the end'],
    ["env in prod", 4, '"," or the end'],
    ["env in (a, b", 12, '")"'],
    ["env in ()", 8, "a value"],
    ["!", 1, "a label after !"],
    ['env="open', 9, "a closing quote"],
    ["env=a=b", 5, '"," or the end'],
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
  const agents = fc.record({ id: fc.uuid(), labels: fc.dictionary(word, word, { maxKeys: 4 }) });

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

  it("has one spelling that parses back to itself", () => {
    const term = fc.oneof(
      fc
        .record({ op: fc.constantFrom("=", "!="), key: word, value: word })
        .map((t) => [t.key, t.op, t.value]),
      fc
        .record({ key: word, values: fc.array(word, { minLength: 1, maxLength: 3 }) })
        .map((t) => [t.key, ...t.values]),
    );
    const quoted = (text = "") => `"${text.replaceAll(/["\\]/g, "\\$&")}"`;
    fc.assert(
      fc.property(fc.array(term, { maxLength: 3 }), agents, (terms, any) => {
        const text = terms
          .map((parts) =>
            parts[1] === "=" || parts[1] === "!="
              ? `${quoted(parts[0])} ${parts[1]} ${quoted(parts[2])}`
              : `${quoted(parts[0])} notin (${parts.slice(1).map(quoted).join(" , ")})`,
          )
          .join(" , ");
        const selector = parseSelector(text);
        const again = parseSelector(selector.text);
        expect(again.text).toBe(selector.text);
        expect(again.terms).toEqual(selector.terms);
        expect(again.matches(any)).toBe(selector.matches(any));
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
