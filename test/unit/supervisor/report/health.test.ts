import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { type ComponentHealth, ComponentHealthSchema } from "../../../../src/opamp/messages.ts";
import type { CollectorState } from "../../../../src/supervisor/collector/collector-state.ts";
import { describeHealth, type HealthFacts } from "../../../../src/supervisor/report/health.ts";
import { healthOf, launchOf } from "../../../support/collector-rig.ts";
import { ScriptedProcess } from "../../../support/scripted-process.ts";

const launch = launchOf("a");
const process = new ScriptedProcess(7);
const timer = { cancel: () => undefined };
const running: CollectorState = { t: "running", launch, process, logPosition: 0 };
const starting: CollectorState = { t: "starting", launch, process, everHealthy: false, logPosition: 0 };

function health(facts: Partial<HealthFacts>): ComponentHealth {
  return describeHealth({
    state: running,
    reported: healthOf(true),
    running: "desired",
    failure: undefined,
    lastExit: undefined,
    concerns: { certificates: [], credentials: [] },
    now: 1_700_000_000_000,
    ...facts,
  });
}

describe("describeHealth", () => {
  it("is the Collector's own words for the desired configuration, components and all", () => {
    const reported = create(ComponentHealthSchema, {
      healthy: true,
      status: "StatusOK",
      componentHealthMap: { "pipeline:traces": { healthy: true } },
    });
    expect(health({ reported })).toEqual(reported);
  });

  it("says of certificates that end soon and credentials that fail beside it, and leaves it healthy", () => {
    const reported = create(ComponentHealthSchema, { healthy: true, componentHealthMap: { extensions: {} } });
    expect(
      health({
        reported,
        concerns: { certificates: ["one expires", "the other too"], credentials: ["no token"] },
      }),
    ).toMatchObject({
      healthy: true,
      componentHealthMap: {
        extensions: {},
        certificates: { healthy: false, status: "expiring", lastError: "one expires; the other too" },
        credentials: { healthy: false, status: "failing", lastError: "no token" },
      },
    });
  });

  it.each(["last-known-good", "fallback", "bootstrap"] as const)("names what it runs instead: %s", (role) => {
    expect(health({ running: role })).toMatchObject({ healthy: true, status: `${role}: StatusOK` });
  });

  it("an empty Collector that stands in for a configuration that failed is not healthy", () => {
    const { healthy, status, lastError } = health({ running: "bootstrap", failure: "unknown exporter" });
    expect([healthy, status]).toEqual([false, "bootstrap: StatusOK"]);
    expect(lastError).toBe("running the empty bootstrap configuration, because: unknown exporter");
  });

  it("a failed offer does not make what goes on running unhealthy", () => {
    expect(health({ running: "last-known-good", failure: "it died" }).healthy).toBe(true);
  });

  it("without a report, one that starts is not healthy and one that was adopted is", () => {
    expect(health({ state: starting, reported: undefined })).toMatchObject({
      healthy: false,
      status: "starting",
    });
    expect(health({ reported: undefined })).toMatchObject({ healthy: true, status: "adopted" });
  });

  it("is healthy with no Collector only on the server's order", () => {
    const state: CollectorState = { t: "stopped" };
    expect(health({ state, running: "stopped" })).toMatchObject({
      healthy: true,
      status: "stopped by an empty configuration",
    });
    const lastExit = "the Collector ended: exit code 1";
    expect(health({ state, lastExit })).toMatchObject({
      healthy: false,
      status: "stopped",
      lastError: lastExit,
    });
    expect(health({ state }).lastError).toBe("the Collector is not running");
  });

  it("says what it waits for, and why", () => {
    const waiting: CollectorState = { t: "backing-off", launch, reason: "exit code 1", timer };
    expect(health({ state: waiting })).toMatchObject({
      healthy: false,
      status: "backing-off",
      lastError: "waiting to restart: exit code 1",
    });
    const held: CollectorState = { t: "held", launch, reason: "crash loop", timer };
    expect(health({ state: held }).lastError).toBe("nothing starts; tried again later: crash loop");
    expect(health({ state: { t: "stopping", process } })).toMatchObject({
      healthy: false,
      status: "stopping",
    });
  });

  it("counts its time in nanoseconds", () => {
    expect(health({ state: { t: "stopped" } }).statusTimeUnixNano).toBe(1_700_000_000_000_000_000n);
  });
});
