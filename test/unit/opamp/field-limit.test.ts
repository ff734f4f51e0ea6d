import { create, toBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { limitFields, maxFields } from "../../../src/opamp/field-limit.ts";
import { AgentToServerSchema } from "../../../src/opamp/messages.ts";
import { type AgentToServerInit, uidOf } from "../../support/opamp-wire.ts";

function encode(init: AgentToServerInit): Uint8Array {
  return toBinary(AgentToServerSchema, create(AgentToServerSchema, { instanceUid: uidOf(1), ...init }));
}

describe("limitFields", () => {
  it("lets a large message of few fields pass", () => {
    const body = new Uint8Array(4_000_000);
    const message = encode({ effectiveConfig: { configMap: { configMap: { "": { body } } } } });
    expect(() => limitFields(AgentToServerSchema, message)).not.toThrow();
  });

  it("counts parts of parts, of lists and of maps", () => {
    const limit = 1000;
    const check = (init: AgentToServerInit) => () => limitFields(AgentToServerSchema, encode(init), limit);
    const padding = { customMessage: { data: new Uint8Array(limit * 2) } };
    // Each entry: itself, its key, its value, and two fields in the value.
    const map = (entries: number) => ({
      health: {
        componentHealthMap: Object.fromEntries(
          Array.from({ length: entries }, (_, index) => [`c${index}`, { healthy: true, status: "s" }]),
        ),
      },
    });
    expect(check({ ...map(199), ...padding })).not.toThrow();
    expect(check({ ...map(200), ...padding })).toThrow("more than 1000 fields");
    const identifyingAttributes = Array.from({ length: limit }, () => ({}));
    expect(check({ agentDescription: { identifyingAttributes } })).toThrow("more than 1000 fields");
  });

  it("refuses what cannot be walked", () => {
    expect(() => limitFields(AgentToServerSchema, new Uint8Array(maxFields * 2).fill(0xff))).toThrow(
      "not a AgentToServer message",
    );
  });
});
