import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { toHex } from "../../src/foundation/hex.ts";
import { AgentCapability } from "../../src/opamp/bits.ts";
import { AgentToServerSchema, RemoteConfigStatuses } from "../../src/opamp/messages.ts";

const capabilities =
  AgentCapability.ReportsStatus |
  AgentCapability.AcceptsRemoteConfig |
  AgentCapability.ReportsEffectiveConfig |
  AgentCapability.ReportsRemoteConfig |
  AgentCapability.ReportsHealth |
  AgentCapability.ReportsHeartbeat;

type Report = Exclude<MessageInitShape<typeof AgentToServerSchema>, { $typeName: unknown }>;

/** Bytes of a report without its `instance_uid` and `sequence_num`: protobuf messages can be joined end to end. */
export type ReportPart = Uint8Array;

function reportPart(report: Report): ReportPart {
  return toBinary(AgentToServerSchema, create(AgentToServerSchema, report));
}

/** A report that says nothing new. */
export const heartbeat = reportPart({ capabilities });

/** One WebSocket frame of these parts, which may be shared by all agents. */
export function reportFrame(instanceUid: Uint8Array, sequenceNum: bigint, parts: readonly ReportPart[]) {
  // The header of a frame is one byte, 0.
  return Buffer.concat([new Uint8Array(1), reportPart({ instanceUid, sequenceNum }), ...parts]);
}

const regions = ["eu-west-1", "eu-central-1", "us-east-1", "us-west-2", "ap-south-1"];

/** Twenty attributes, as a host of a large fleet has them. */
export function describedAgent(index: number): ReportPart {
  const region = regions[index % regions.length] ?? "";
  const host = `node-${String(index).padStart(5, "0")}.${region}.compute.example.com`;
  const identifying = {
    "service.name": "io.opentelemetry.collector",
    "service.namespace": "observability",
    "service.version": `0.${140 + (index % 10)}.0`,
    "service.instance.id": `collector-${index}`,
  };
  const others = {
    "host.name": host,
    "host.id": `i-${(index * 2_654_435_761).toString(16).padStart(17, "0")}`,
    "host.arch": "amd64",
    "host.type": "m7i.large",
    "os.type": "linux",
    "os.description": "Debian GNU/Linux 12 (bookworm)",
    "os.version": "6.1.0-28-amd64",
    "cloud.provider": "aws",
    "cloud.region": region,
    "cloud.availability_zone": `${region}${"abc"[index % 3]}`,
    "cloud.account.id": "123456789012",
    "deployment.environment.name": index % 5 === 0 ? "staging" : "production",
    "k8s.cluster.name": `cluster-${index % 40}`,
    "k8s.node.name": host,
    "k8s.namespace.name": "observability",
    team: `team-${index % 25}`,
  };
  const attributes = (values: Record<string, string>) =>
    Object.entries(values).map(([key, value]) => ({
      key,
      value: { value: { case: "stringValue" as const, value } },
    }));
  return reportPart({
    capabilities,
    agentDescription: {
      identifyingAttributes: attributes(identifying),
      nonIdentifyingAttributes: attributes(others),
    },
    health: { healthy: true, status: "StatusOK", startTimeUnixNano: 1_700_000_000_000_000_000n },
  });
}

/** What the agent runs, in full. */
export function effectiveConfiguration(yaml: Uint8Array): ReportPart {
  return reportPart({
    effectiveConfig: { configMap: { configMap: { "": { body: yaml, contentType: "text/yaml" } } } },
  });
}

/** What became of an offer; the empty hash: none was made so far. */
export function configurationStatus(
  lastRemoteConfigHash: Uint8Array,
  outcome: "unset" | "applying" | "applied" | "failed",
): ReportPart {
  const status = {
    unset: RemoteConfigStatuses.RemoteConfigStatuses_UNSET,
    applying: RemoteConfigStatuses.RemoteConfigStatuses_APPLYING,
    applied: RemoteConfigStatuses.RemoteConfigStatuses_APPLIED,
    failed: RemoteConfigStatuses.RemoteConfigStatuses_FAILED,
  }[outcome];
  const errorMessage = outcome === "failed" ? "the collector did not become healthy" : "";
  return reportPart({ capabilities, remoteConfigStatus: { lastRemoteConfigHash, status, errorMessage } });
}

/** A configuration that a Collector takes, of about `bytes`; another `version` is another content. */
export function collectorYaml(version: string, bytes: number): string {
  const lines = [
    `# version ${version}`,
    "receivers:",
    "  otlp:",
    "    protocols:",
    "      grpc: { endpoint: 127.0.0.1:4317 }",
    "exporters:",
    "  otlp: { endpoint: gateway.example.com:4317 }",
    "processors:",
    "  batch: { timeout: 5s }",
    "  attributes:",
    "    actions:",
  ];
  const end =
    "service:\n  pipelines:\n    traces: { receivers: [otlp], processors: [attributes, batch], exporters: [otlp] }\n";
  let size = lines.join("\n").length + end.length;
  for (let number = 0; size < bytes; number += 1) {
    const line = `      - { key: attribute.number.${number}, value: "${toHex(Buffer.from(`v${number}`))}", action: upsert }`;
    lines.push(line);
    size += line.length + 1;
  }
  return `${lines.join("\n")}\n${end}`;
}
