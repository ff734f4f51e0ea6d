import { create, fromBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { AgentRemoteConfigSchema, ServerToAgentSchema } from "../../../../src/opamp/messages.ts";
import { encodeServerToAgent } from "../../../../src/opamp/server/encode-message.ts";
import { uidOf } from "../../../support/opamp-wire.ts";

const remoteConfig = create(AgentRemoteConfigSchema, {
  config: {
    configMap: { "": { body: new TextEncoder().encode("receivers: {}"), contentType: "text/yaml" } },
  },
  configHash: uidOf(9),
});

const messages: [string, MessageInitShape<typeof ServerToAgentSchema>][] = [
  ["nothing at all", {}],
  ["nothing but its Agent", { instanceUid: uidOf(1) }],
  ["an Agent and flags", { instanceUid: uidOf(1), flags: 1n }],
  ["a command, which has no fields that are set", { instanceUid: uidOf(1), command: {} }],
  ["a configuration", { instanceUid: uidOf(1), remoteConfig }],
  [
    "the same configuration for another Agent, and more",
    { instanceUid: uidOf(2), capabilities: 7n, remoteConfig },
  ],
  ["an error", { instanceUid: uidOf(1), errorResponse: { errorMessage: "no" } }],
];

describe("encodeServerToAgent", () => {
  it.each(messages)("writes what is read back: %s", (_, init) => {
    const message = create(ServerToAgentSchema, init);
    for (const header of [0, 1] as const) {
      const bytes = encodeServerToAgent(message, header);
      expect(bytes.subarray(0, header)).toEqual(new Uint8Array(header));
      expect(fromBinary(ServerToAgentSchema, bytes.subarray(header))).toEqual(message);
    }
  });
});
