import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { ReportedState } from "../../../../src/opamp/agent/reported-state.ts";
import { RemoteConfigStatuses, RemoteConfigStatusSchema } from "../../../../src/opamp/messages.ts";
import { InstallDurations } from "../../../../src/supervisor/telemetry/install-durations.ts";
import { Restarts } from "../../../../src/supervisor/telemetry/restarts.ts";
import {
  type MetricFacts,
  supervisorMetrics,
} from "../../../../src/supervisor/telemetry/supervisor-metrics.ts";
import { healthOf } from "../../../support/collector-rig.ts";
import { ManualClock } from "../../../support/manual-clock.ts";

const { RemoteConfigStatuses_APPLIED: applied, RemoteConfigStatuses_FAILED: failed } = RemoteConfigStatuses;
const { RemoteConfigStatuses_APPLYING: applying } = RemoteConfigStatuses;

function metricsOf(facts: Partial<MetricFacts> = {}) {
  const state = new ReportedState({ instanceUid: new Uint8Array(16), capabilities: 0n });
  const report = (status: RemoteConfigStatuses, hash = 1) =>
    state.set(
      "remoteConfigStatus",
      create(RemoteConfigStatusSchema, { status, lastRemoteConfigHash: new Uint8Array([hash]) }),
    );
  // What an earlier process reported.
  report(failed);
  const metrics = supervisorMetrics({
    state,
    restarts: new Restarts(),
    connection: () => ({ server: "h:1", connected: false, lastAnswerAt: undefined }),
    effectiveConfigHash: () => undefined,
    installs: new InstallDurations(new ManualClock()),
    certificates: () => [],
    storage: () => ({ unwritten: [], freeBytes: undefined }),
    ...facts,
  });
  const points = (name: string) => metrics.find((metric) => metric.name === name)?.points();
  return { metrics, points, state, report };
}

describe("the metrics of the supervisor", () => {
  it("tell health, by the reference's name", () => {
    const { points, state } = metricsOf();
    const health = () => points("supervisor.agent.health_status")?.map(({ value }) => value);
    expect(health()).toEqual([0]);
    state.set("health", healthOf(true));
    expect(health()).toEqual([1]);
    state.set("health", healthOf(false));
    expect(health()).toEqual([0]);
  });

  it("count verdicts, not what was reported before this process nor what is reported again", () => {
    const { points, report } = metricsOf();
    const counts = () =>
      points("opamp_agent_config_updates_total")?.map(({ labels, value }) => [labels.status, value]);
    expect(counts()).toEqual([
      ["applied", 0],
      ["failed", 0],
    ]);
    report(applying, 2);
    report(applied, 2);
    report(applied, 2);
    report(failed, 2);
    report(applied, 3);
    expect(counts()).toEqual([
      ["applied", 2],
      ["failed", 1],
    ]);
  });

  it("tell the connection, the last answer in seconds, and what runs", () => {
    const connection = () => ({ server: "h:1", connected: true, lastAnswerAt: 1_500 });
    const { points } = metricsOf({ connection, effectiveConfigHash: () => "abc" });
    expect(points("opamp_agent_connection_status")).toEqual([{ value: 1, labels: { server: "h:1" } }]);
    expect(points("opamp_agent_last_heartbeat_timestamp_seconds")).toEqual([{ value: 1.5, labels: {} }]);
    expect(points("opamp_agent_effective_config_hash")).toEqual([{ value: 1, labels: { hash: "abc" } }]);
  });

  it("tell when certificates end, and how the disk takes what is written", () => {
    const certificates = () => [
      { use: "client" as const, validFrom: 0, validUntil: 1_500, noticeMs: 0 },
      { use: "authority" as const, validFrom: 0, validUntil: 3_000, noticeMs: 0 },
    ];
    const storage = () => ({ unwritten: ["a", "b"], freeBytes: 7 });
    const { points } = metricsOf({ certificates, storage });
    expect(points("opamp_agent_certificate_expiry_timestamp_seconds")).toEqual([
      { value: 1.5, labels: { certificate: "client" } },
      { value: 3, labels: { certificate: "authority" } },
    ]);
    expect(points("opamp_agent_storage_unwritten_files")).toEqual([{ value: 2, labels: {} }]);
    expect(points("opamp_agent_storage_free_bytes")).toEqual([{ value: 7, labels: {} }]);
  });

  it("have no value for what is not known", () => {
    const { points } = metricsOf();
    expect(points("opamp_agent_storage_free_bytes")).toEqual([]);
    expect(points("opamp_agent_package_install_duration_seconds")).toEqual([]);
    expect(points("opamp_agent_last_heartbeat_timestamp_seconds")).toEqual([]);
    expect(points("opamp_agent_effective_config_hash")).toEqual([]);
  });
});
