import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { AgentCapability, ServerToAgentFlag } from "../../../../src/opamp/bits.ts";
import { AgentToServerSchema } from "../../../../src/opamp/messages.ts";
import { type AgentState, answerFlags, mergeReport } from "../../../../src/opamp/server/agent-state.ts";
import { type AgentToServerInit, uidOf } from "../../../support/opamp-wire.ts";

const { ReportsStatus, ReportsHealth, ReportsEffectiveConfig, ReportsAvailableComponents } = AgentCapability;

function message(sequenceNum: number, init: AgentToServerInit = {}) {
  const capabilities = ReportsStatus | ReportsHealth | ReportsEffectiveConfig;
  return create(AgentToServerSchema, {
    instanceUid: uidOf(1),
    sequenceNum: BigInt(sequenceNum),
    capabilities,
    ...init,
  });
}

/** The merge of the last of several messages. */
function mergeAll(...inits: [number, AgentToServerInit?][]) {
  let state: AgentState | undefined;
  let last: ReturnType<typeof mergeReport> | undefined;
  for (const [sequenceNum, init] of inits) {
    last = mergeReport(state, message(sequenceNum, init));
    state = last.state;
  }
  return last!;
}

const full = { agentDescription: {}, health: { healthy: true }, effectiveConfig: {} };
const hash = Uint8Array.of(1, 2);

describe("SS5: merging", () => {
  it("keeps parts that are left out, and replaces those that come whole", () => {
    const { state, changed } = mergeAll(
      [0, { ...full, health: { healthy: false, lastError: "starting" } }],
      [1, { health: { healthy: true } }],
    );
    expect(state.agentDescription).toBeDefined();
    expect(state.effectiveConfig).toBeDefined();
    expect(state.health?.healthy).toBe(true);
    expect(state.health?.lastError).toBe("");
    expect(Object.keys(changed)).toEqual(["health"]);
  });

  it("tells no change when a part comes again as it was", () => {
    expect(mergeAll([0, full], [1, full]).changed).toEqual({});
  });

  it("SS4: takes the newest capabilities; none stated leaves them", () => {
    expect(mergeAll([0, full], [1, { capabilities: 1n }]).state.capabilities).toBe(1n);
    expect(mergeAll([0, full], [1, { capabilities: 0n }]).state.capabilities).not.toBe(0n);
  });

  it("does not change the previous state, nor keep the buffer a message came in", () => {
    const first = mergeReport(undefined, message(0, full)).state;
    const before = structuredClone(first);
    const frame = new Uint8Array(1_000_000);
    const body = frame.subarray(0, 10);
    const next = mergeReport(
      first,
      message(1, {
        instanceUid: frame.subarray(0, 16),
        effectiveConfig: { configMap: { configMap: { "": { body } } } },
      }),
    ).state;
    expect(first).toEqual(before);
    expect(next.effectiveConfig?.configMap?.configMap[""]?.body.buffer.byteLength).toBe(10);
    expect(next.instanceUid.buffer.byteLength).toBe(16);
  });
});

describe("SS1: gaps", () => {
  it.each<[string, [number, AgentToServerInit?][], boolean]>([
    ["a first report numbered 0 is no gap", [[0, full]], false],
    ["a first report without a description is one", [[0]], true],
    ["a first report numbered otherwise is one", [[5, { agentDescription: {} }]], true],
    ["unless it is full", [[5, full]], false],
    ["the next number is no gap", [[0, full], [1]], false],
    ["a number left out is one", [[0, full], [2]], true],
    ["a number repeated is one", [[0, full], [0]], true],
    [
      "a full report out of order is none",
      [
        [0, full],
        [7, full],
      ],
      false,
    ],
    [
      "an almost full one is one",
      [
        [0, full],
        [7, { agentDescription: {}, health: {} }],
      ],
      true,
    ],
    ["after a gap the numbering goes on from there", [[0, full], [7], [8]], false],
  ])("%s", (_name, messages, gap) => {
    const merged = mergeAll(...messages);
    expect(merged.gap).toBe(gap);
    expect(answerFlags(merged)).toBe(gap ? ServerToAgentFlag.ReportFullState : 0n);
  });

  it("AT5: an agent that numbers everything 0 and reports less than it announces is not asked for ever", () => {
    const partial = { agentDescription: {} };
    expect(mergeAll([0, partial], [0, partial]).gap).toBe(true);
    expect(mergeAll([0, partial], [0, partial], [0, partial]).gap).toBe(false);
  });
});

describe("SS6: available components", () => {
  const capabilities = ReportsStatus | ReportsAvailableComponents;
  const components = { hash, components: { receivers: {} } };
  const hashOnly = { capabilities, agentDescription: {}, availableComponents: { hash } };

  it("asks for the components when only their hash came", () => {
    const merged = mergeAll([0, hashOnly]);
    expect(merged.componentsUnknown).toBe(true);
    expect(answerFlags(merged)).toBe(ServerToAgentFlag.ReportAvailableComponents);
  });

  it("does not ask when they are known by that hash, and keeps them", () => {
    const merged = mergeAll([0, { capabilities, ...full, availableComponents: components }], [1, hashOnly]);
    expect(merged.componentsUnknown).toBe(false);
    expect(Object.keys(merged.state.availableComponents?.components ?? {})).toEqual(["receivers"]);
    expect(merged.changed.availableComponents).toBeUndefined();
  });

  it("asks again for another hash", () => {
    const other = { capabilities, availableComponents: { hash: Uint8Array.of(9) } };
    expect(
      mergeAll([0, { capabilities, ...full, availableComponents: components }], [1, other]).componentsUnknown,
    ).toBe(true);
  });

  it("asks once, not for ever, and again after the agent restarted", () => {
    expect(mergeAll([0, hashOnly], [1, hashOnly]).componentsUnknown).toBe(false);
    expect(mergeAll([0, hashOnly], [1, hashOnly], [0, hashOnly]).componentsUnknown).toBe(true);
  });

  it("asks nothing of an agent that says nothing of components", () => {
    expect(mergeAll([0, full]).componentsUnknown).toBe(false);
  });
});
