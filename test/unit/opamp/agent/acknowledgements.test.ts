import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { Acknowledgements, type Report } from "../../../../src/opamp/agent/acknowledgements.ts";
import { ReportedState } from "../../../../src/opamp/agent/reported-state.ts";
import { AgentCapability, ServerCapability } from "../../../../src/opamp/bits.ts";
import {
  AvailableComponentsSchema,
  PackageStatusesSchema,
  RemoteConfigStatusSchema,
} from "../../../../src/opamp/messages.ts";
import { description, effectiveConfig, everyReport, health, uidA } from "./session-fixture.ts";

function make(capabilities = everyReport) {
  const state = new ReportedState({ instanceUid: uidA, capabilities });
  state.set("agentDescription", description("collector"));
  state.set("health", health({ healthy: true }));
  state.set("effectiveConfig", effectiveConfig("a"));
  state.set("packageStatuses", create(PackageStatusesSchema, { errorMessage: "x" }));
  const hash = new Uint8Array([1]);
  state.set("availableComponents", create(AvailableComponentsSchema, { hash, components: { otlp: {} } }));
  return { state, known: new Acknowledgements(state) };
}

const kinds = (report: Report) => Object.keys(report.fields).sort();

function exchange(known: Acknowledgements): Report {
  const report = known.compose();
  known.sent(report);
  known.settled(report);
  return report;
}

describe("Acknowledgements", () => {
  it("AS2 AS3 reports everything first and then only what changed, whole", () => {
    const { state, known } = make();
    const all = ["agentDescription", "availableComponents", "effectiveConfig", "health", "packageStatuses"];
    expect(kinds(exchange(known))).toEqual(all);
    expect(known.pending).toBe(false);
    state.set("health", health({ healthy: false, lastError: "broken" }));
    const delta = exchange(known);
    expect(delta.fields).toEqual({ health: health({ healthy: false, lastError: "broken" }) });
  });

  it("AT14 keeps a kind due until its message was answered", () => {
    const { state, known } = make();
    exchange(known);
    state.set("health", health({ healthy: false }));
    known.sent(known.compose());
    expect(known.pending).toBe(false);
    known.lost();
    expect(kinds(known.compose())).toEqual(["health"]);
  });

  it("AT13 keeps a newer value due when the older one is answered", () => {
    const { state, known } = make();
    exchange(known);
    state.set("health", health({ status: "one" }));
    const first = known.compose();
    known.sent(first);
    state.set("health", health({ status: "two" }));
    known.settled(first);
    expect(known.compose().fields.health?.status).toBe("two");
    known.sent(known.compose());
    known.lost();
    expect(known.compose().fields.health?.status).toBe("two");
  });

  it("AS4 stays full until a full report was answered", () => {
    const { known } = make();
    exchange(known);
    known.demandFull();
    known.sent(known.compose());
    known.lost();
    expect(kinds(known.compose())).toHaveLength(5);
  });

  it("AX1 AX2 AS5 reports components by hash until they are asked for, and until they arrived", () => {
    const { known } = make();
    expect(exchange(known).fields.availableComponents).toMatchObject({
      components: {},
      hash: new Uint8Array([1]),
    });
    known.demandComponents();
    const lost = known.compose();
    expect(Object.keys(lost.fields.availableComponents?.components ?? {})).toEqual(["otlp"]);
    known.sent(lost);
    known.lost();
    const full = exchange(known);
    expect(kinds(full)).toEqual(["availableComponents"]);
    expect(Object.keys(full.fields.availableComponents?.components ?? {})).toEqual(["otlp"]);
    known.demandFull();
    expect(known.compose().fields.availableComponents?.components).toEqual({});
  });

  it("AC2 leaves a kind out until its capability is announced", () => {
    const { state, known } = make(AgentCapability.ReportsHealth);
    state.set("remoteConfigStatus", create(RemoteConfigStatusSchema, { errorMessage: "e" }));
    expect(kinds(exchange(known))).toEqual(["agentDescription", "health"]);
    state.setCapabilities(AgentCapability.ReportsRemoteConfig);
    expect(known.pending).toBe(true);
    expect(kinds(exchange(known))).toEqual(["remoteConfigStatus"]);
  });

  it("AT9 makes a change of capabilities alone worth a report", () => {
    const { state, known } = make();
    exchange(known);
    state.setCapabilities(everyReport | AgentCapability.AcceptsRemoteConfig);
    expect(known.pending).toBe(true);
    expect(kinds(exchange(known))).toEqual([]);
    expect(known.pending).toBe(false);
  });

  it("AT11 leaves out what the server does not take, and reports it when it does", () => {
    const { state, known } = make();
    exchange(known);
    known.setServerCapabilities(ServerCapability.AcceptsStatus);
    state.set("effectiveConfig", effectiveConfig("b"));
    expect(known.pending).toBe(false);
    known.setServerCapabilities(ServerCapability.AcceptsStatus | ServerCapability.AcceptsEffectiveConfig);
    expect(kinds(known.compose())).toEqual(["effectiveConfig"]);
  });

  it("AH10 withholds the largest kind until it changes", () => {
    const { state, known } = make();
    state.set("effectiveConfig", effectiveConfig("long ".repeat(50)));
    expect(known.withholdLargest(known.compose())).toBe("effectiveConfig");
    known.demandFull();
    expect(kinds(exchange(known))).not.toContain("effectiveConfig");
    state.set("effectiveConfig", effectiveConfig("short"));
    expect(kinds(known.compose())).toEqual(["effectiveConfig"]);
  });
});
