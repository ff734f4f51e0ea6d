import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { ComponentHealthSchema } from "../../../../src/opamp/messages.ts";
import type { Presence } from "../../../../src/server/fleet/agent.ts";
import { conditionOf } from "../../../../src/server/fleet/condition.ts";

const connected: Presence = { t: "elsewhere", replica: "r" };
const gone: Presence = { t: "gone", since: 0, reason: "said good-bye" };
const state = (healthy?: boolean) => ({
  instanceUid: new Uint8Array(16),
  sequenceNum: 0n,
  capabilities: 0n,
  asked: { fullState: false, componentsHash: undefined },
  ...(healthy === undefined ? {} : { health: create(ComponentHealthSchema, { healthy }) }),
});

describe("conditionOf", () => {
  it.each([
    ["healthy", connected, true, 1_000],
    ["unhealthy", connected, false, 1_000],
    ["unknown", connected, undefined, 1_000],
    ["stale", connected, true, 999],
    ["stale", connected, false, 999],
    ["gone", gone, true, 999],
  ] as const)("%s", (condition, presence, healthy, lastSeen) => {
    const agent = { presence, lastSeen, state: state(healthy) };
    expect(conditionOf(agent, { now: 2_000, staleAfterMs: 1_000 })).toBe(condition);
  });
});
