import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { AgentDescriptionSchema } from "../../../../src/opamp/messages.ts";
import { labelsOf } from "../../../../src/server/fleet/labels.ts";

describe("labelsOf", () => {
  it("makes text of every kind of value", () => {
    const description = create(AgentDescriptionSchema, {
      identifyingAttributes: [{ key: "text", value: { value: { case: "stringValue", value: "a b" } } }],
      nonIdentifyingAttributes: [
        { key: "bool", value: { value: { case: "boolValue", value: true } } },
        { key: "int", value: { value: { case: "intValue", value: 9_007_199_254_740_993n } } },
        { key: "small", value: { value: { case: "intValue", value: 7n } } },
        { key: "double", value: { value: { case: "doubleValue", value: 0.5 } } },
        { key: "bytes", value: { value: { case: "bytesValue", value: Buffer.from("hi") } } },
        {
          key: "list",
          value: {
            value: {
              case: "arrayValue",
              value: { values: [{ value: { case: "stringValue", value: "x" } }] },
            },
          },
        },
        {
          key: "map",
          value: {
            value: {
              case: "kvlistValue",
              value: { values: [{ key: "k", value: { value: { case: "intValue", value: 1n } } }] },
            },
          },
        },
        { key: "none" },
      ],
    });
    expect(labelsOf(description)).toEqual({
      text: "a b",
      bool: "true",
      int: "9007199254740993",
      small: "7",
      double: "0.5",
      bytes: "aGk=",
      list: '["x"]',
      map: '{"k":1}',
      none: "",
    });
    expect(labelsOf(undefined)).toEqual({});
  });

  it("prefers identifying attributes", () => {
    const attribute = (value: string) => [
      { key: "k", value: { value: { case: "stringValue" as const, value } } },
    ];
    const description = create(AgentDescriptionSchema, {
      identifyingAttributes: attribute("identifying"),
      nonIdentifyingAttributes: attribute("other"),
    });
    expect(labelsOf(description)).toEqual({ k: "identifying" });
  });
});
