import { Counts, type Metric } from "../../foundation/metrics/metric.ts";
import type { ReportedState } from "../../opamp/agent/reported-state.ts";
import { RemoteConfigStatuses } from "../../opamp/messages.ts";
import type { WatchedCertificate } from "../connection/certificate/certificate-watch.ts";
import type { UpstreamStatus } from "../connection/upstream.ts";
import type { InstallDurations } from "./install-durations.ts";
import type { Restarts } from "./restarts.ts";

/** What the metrics are read from. */
export interface MetricFacts {
  readonly state: ReportedState;
  readonly restarts: Restarts;
  /** The connection to the OpAMP server in use. */
  readonly connection: () => UpstreamStatus;
  /** Content hash of the configuration that the Collector runs, if it runs one. */
  readonly effectiveConfigHash: () => string | undefined;
  readonly installs: InstallDurations;
  /** Of the connection to the OpAMP server. */
  readonly certificates: () => readonly WatchedCertificate[];
  readonly storage: () => StorageFacts;
}

/** The state directory. */
export interface StorageFacts {
  /** Names of files whose newest content the disk has refused so far. */
  readonly unwritten: readonly string[];
  /** Bytes that this user could still write; undefined where the file system does not tell. */
  readonly freeBytes: number | undefined;
}

/**
 * The metrics of the supervisor: the reference's one and ours. Counting begins now: what `state` holds
 * already was reported by an earlier process.
 */
export function supervisorMetrics(facts: MetricFacts): Metric[] {
  const { state, restarts } = facts;
  const updates = new Counts("status", ["applied", "failed"]);
  state.subscribe((change) => {
    if (change !== "remoteConfigStatus") return;
    const status = state.get("remoteConfigStatus")?.status;
    if (status === RemoteConfigStatuses.RemoteConfigStatuses_APPLIED) updates.add("applied");
    if (status === RemoteConfigStatuses.RemoteConfigStatuses_FAILED) updates.add("failed");
  });
  return [
    {
      name: "supervisor.agent.health_status",
      help: "Health of the Collector: 1 healthy, 0 not",
      kind: "up-down-counter",
      points: () => [{ value: state.get("health")?.healthy ? 1 : 0, labels: {} }],
    },
    {
      name: "opamp_agent_connection_status",
      help: "Connection to the OpAMP server: 1 connected, 0 not",
      kind: "gauge",
      points: () => {
        const { server, connected } = facts.connection();
        return [{ value: connected ? 1 : 0, labels: { server } }];
      },
    },
    {
      name: "opamp_agent_config_updates_total",
      help: "Verdicts on remote configurations, corrections included",
      kind: "counter",
      points: () => updates.points(),
    },
    {
      name: "opamp_agent_effective_config_hash",
      help: "1, with the SHA-256 of the configuration that the Collector runs",
      kind: "gauge",
      points: () => {
        const hash = facts.effectiveConfigHash();
        return hash === undefined ? [] : [{ value: 1, labels: { hash } }];
      },
    },
    {
      name: "opamp_agent_last_heartbeat_timestamp_seconds",
      help: "When the OpAMP server last answered a heartbeat or another message, as Unix time",
      kind: "gauge",
      points: () => {
        const { lastAnswerAt } = facts.connection();
        return lastAnswerAt === undefined ? [] : [{ value: lastAnswerAt / 1_000, labels: {} }];
      },
    },
    {
      name: "opamp_agent_collector_restarts_total",
      help: "Restarts of the Collector",
      kind: "counter",
      points: () => restarts.counts.points(),
    },
    {
      name: "opamp_agent_package_install_duration_seconds",
      help: "How long the last attempt to install a package took, from the offer to its end",
      kind: "gauge",
      points: () => facts.installs.points(),
    },
    {
      name: "opamp_agent_certificate_expiry_timestamp_seconds",
      help: "When a certificate of the connection to the OpAMP server, or of one that it gave the Collector, ends, as Unix time",
      kind: "gauge",
      points: () =>
        facts.certificates().map(({ use, validUntil }) => ({
          value: validUntil / 1_000,
          labels: { certificate: use },
        })),
    },
    {
      name: "opamp_agent_storage_unwritten_files",
      help: "State files whose newest content the disk refuses; they are tried again",
      kind: "gauge",
      points: () => [{ value: facts.storage().unwritten.length, labels: {} }],
    },
    {
      name: "opamp_agent_storage_free_bytes",
      help: "Room on the file system of the state directory",
      kind: "gauge",
      points: () => {
        const { freeBytes } = facts.storage();
        return freeBytes === undefined ? [] : [{ value: freeBytes, labels: {} }];
      },
    },
  ];
}
