import { describe, expect, it } from "vitest";
import { ReportedState } from "../../../../src/opamp/agent/reported-state.ts";
import { AgentCapability } from "../../../../src/opamp/bits.ts";
import { effectiveConfig, health, uidA, uidB } from "./session-fixture.ts";

function make(requestInstanceUid = false) {
  const state = new ReportedState({ instanceUid: uidA, capabilities: 0n, requestInstanceUid });
  const changes: string[] = [];
  const unsubscribe = state.subscribe((change) => changes.push(change));
  return { state, changes, unsubscribe };
}

describe("ReportedState", () => {
  it("AS6 tells of a new value once, whatever the order of its map", () => {
    const { state, changes } = make();
    state.set("health", health({ componentHealthMap: { a: { healthy: true }, b: {} } }));
    state.set("health", health({ componentHealthMap: { b: {}, a: { healthy: true } } }));
    expect(changes).toEqual(["health"]);
    expect(state.version("health")).toBe(1);
    state.set("health", health({ componentHealthMap: { a: { healthy: false }, b: {} } }));
    expect(state.version("health")).toBe(2);
  });

  it("keeps what it was given when the caller changes its own copy", () => {
    const { state, changes } = make();
    const config = effectiveConfig("a: 1");
    state.set("effectiveConfig", config);
    config.configMap?.configMap[""]?.body.fill(0);
    expect(state.get("effectiveConfig")).toEqual(effectiveConfig("a: 1"));
    state.set("effectiveConfig", config);
    expect(changes).toHaveLength(2);
  });

  it("AT8 always announces ReportsStatus", () => {
    const { state, changes } = make();
    expect(state.capabilities).toBe(AgentCapability.ReportsStatus);
    state.setCapabilities(AgentCapability.ReportsHealth);
    state.setCapabilities(AgentCapability.ReportsHealth);
    expect(state.capabilities).toBe(AgentCapability.ReportsStatus | AgentCapability.ReportsHealth);
    expect(changes).toEqual(["capabilities"]);
  });

  it("AI4 stops asking for a uid when it got one, even its own", () => {
    const { state, changes } = make(true);
    state.adoptInstanceUid(uidA);
    expect(state.requestInstanceUid).toBe(false);
    expect(changes).toEqual([]);
    state.adoptInstanceUid(uidB);
    expect(state.instanceUid).toEqual(uidB);
    expect(changes).toEqual(["instanceUid"]);
  });

  it("calls a listener no more that unsubscribed", () => {
    const { state, changes, unsubscribe } = make();
    unsubscribe();
    state.set("health", health({ healthy: true }));
    expect(changes).toEqual([]);
  });
});
