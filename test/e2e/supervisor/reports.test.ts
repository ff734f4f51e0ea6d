import { execFile } from "node:child_process";
import { hostname } from "node:os";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { AgentCapability, ServerToAgentFlag } from "../../../src/opamp/bits.ts";
import type { AgentDescription, AgentToServer, KeyValue } from "../../../src/opamp/messages.ts";
import { collectorBinary } from "../../support/collector.ts";
import { supervisorHost } from "../../support/supervisor-host.ts";

const allOff = {
  accepts_remote_config: false,
  accepts_restart_command: false,
  accepts_opamp_connection_settings: false,
  reports_effective_config: false,
  reports_own_metrics: false,
  reports_own_logs: false,
  reports_own_traces: false,
  reports_health: false,
  reports_remote_config: false,
  reports_available_components: false,
};

const bits = {
  accepts_remote_config: AgentCapability.AcceptsRemoteConfig,
  accepts_restart_command: AgentCapability.AcceptsRestartCommand,
  accepts_opamp_connection_settings: AgentCapability.AcceptsOpAMPConnectionSettings,
  reports_connection_settings_status: AgentCapability.ReportsConnectionSettingsStatus,
  reports_effective_config: AgentCapability.ReportsEffectiveConfig,
  reports_own_metrics: AgentCapability.ReportsOwnMetrics,
  reports_own_logs: AgentCapability.ReportsOwnLogs,
  reports_own_traces: AgentCapability.ReportsOwnTraces,
  reports_health: AgentCapability.ReportsHealth,
  reports_remote_config: AgentCapability.ReportsRemoteConfig,
  reports_available_components: AgentCapability.ReportsAvailableComponents,
};

const always = AgentCapability.ReportsStatus | AgentCapability.ReportsHeartbeat;

const textOf = ({ value }: KeyValue) => (value?.value.case === "stringValue" ? value.value.value : undefined);

function attributesOf({ identifyingAttributes, nonIdentifyingAttributes }: AgentDescription) {
  const record = (list: KeyValue[]) => Object.fromEntries(list.map((item) => [item.key, textOf(item)]));
  return { identifying: record(identifyingAttributes), nonIdentifying: record(nonIdentifyingAttributes) };
}

async function buildinfo(): Promise<{ name: string; version: string }> {
  const { stdout } = await promisify(execFile)(collectorBinary(), ["components"]);
  const field = (key: string) => new RegExp(`^ +${key}: (.*)$`, "m").exec(stdout)?.[1] ?? "";
  return { name: field("command"), version: field("version") };
}

/** The parts that a message carries, beside the fields that every message has. */
function partsOf(message: AgentToServer): string[] {
  const always = ["$typeName", "$unknown", "instanceUid", "sequenceNum", "capabilities", "flags"];
  return Object.entries(message).flatMap(([key, value]) =>
    value === undefined || always.includes(key) ? [] : [key],
  );
}

describe("capabilities", () => {
  it("all off leave ReportsStatus and ReportsHeartbeat, and nothing else is reported", async () => {
    const host = await supervisorHost({ capabilities: allOff });
    await host.saveRemote(host.remotePipeline());
    const supervisor = await host.start();
    await host.server.message("first message", () => true);
    // The Collector runs, unmanaged.
    await supervisor.waitFor("config_updated");
    const from = host.server.mark;
    host.server.push({ flags: ServerToAgentFlag.ReportFullState });
    host.server.push({ remoteConfig: host.remotePipeline() });
    await host.server.reported("agentDescription", () => true, from);
    for (const { message } of host.server.received) {
      expect(message.capabilities).toBe(always);
      expect(
        partsOf(message).filter((part) => !["agentDescription", "customCapabilities"].includes(part)),
      ).toEqual([]);
    }
    expect(supervisor.lines.filter(({ event }) => event === "config_received")).toEqual([]);
    // Neither the one that was pushed nor the one that an earlier supervisor saved.
    expect(await host.readState("effective.yaml")).not.toContain("otlphttp");
  });

  it("each key sets its own bit", async () => {
    const on = Object.fromEntries(Object.keys(bits).map((key) => [key, true]));
    const host = await supervisorHost({ capabilities: on });
    await host.start();
    const { capabilities } = await host.server.message("first message", () => true);
    expect(capabilities).toBe(Object.values(bits).reduce((sum, bit) => sum | bit, always));
  });

  it("without heartbeats the bit is gone", async () => {
    const host = await supervisorHost({ capabilities: { ...allOff, reports_heartbeat: false } });
    await host.start();
    const { capabilities } = await host.server.message("first message", () => true);
    expect(capabilities).toBe(AgentCapability.ReportsStatus);
  });
});

describe("the description", () => {
  it("names the binary's build and the host, under what the settings say", async () => {
    const { name, version } = await buildinfo();
    const host = await supervisorHost({
      agent: {
        description: {
          identifying_attributes: { "client.id": "my-client-id" },
          non_identifying_attributes: { env: "prod", "os.description": "mine" },
        },
      },
    });
    await host.startHealthy();
    // Before and after the Collector's extension has described itself.
    const descriptions = host.server.received.flatMap(({ message }) => message.agentDescription ?? []);
    expect(descriptions.length).toBeGreaterThan(0);
    for (const description of descriptions) {
      const { identifying, nonIdentifying } = attributesOf(description);
      expect(identifying).toEqual({
        "client.id": "my-client-id",
        "service.instance.id": expect.stringMatching(/^[0-9a-f-]{36}$/),
        "service.name": name,
        "service.version": version,
      });
      expect(nonIdentifying).toMatchObject({
        env: "prod",
        "host.arch": expect.any(String),
        "host.name": hostname(),
        "os.description": "mine",
        "os.type": process.platform,
      });
    }
  });
});

describe("available components", () => {
  it("are a hash first, and the list in five groups when the server asks", async () => {
    const host = await supervisorHost({ capabilities: { reports_available_components: true } });
    await host.startHealthy();
    const hashed = await host.server.reported("availableComponents", ({ hash }) => hash.length > 0);
    expect(Object.keys(hashed.components)).toEqual([]);
    // The recording server asks, as any that does not know the hash.
    const listed = await host.server.reported(
      "availableComponents",
      ({ components }) => Object.keys(components).length > 0,
    );
    expect(Object.keys(listed.components).toSorted()).toEqual([
      "connectors",
      "exporters",
      "extensions",
      "processors",
      "receivers",
    ]);
    expect(listed.components.extensions?.subComponentMap).toHaveProperty("opamp");
    expect(listed.components.receivers?.subComponentMap).toHaveProperty("otlp");
    expect(listed.hash).toEqual(hashed.hash);
  });
});

describe("heartbeats", () => {
  it("at an offered interval carry uid, sequence number and capabilities only", async () => {
    const host = await supervisorHost();
    await host.startHealthy();
    await host.apply(host.remotePipeline());
    const from = host.server.mark;
    host.server.push({ connectionSettings: { opamp: { heartbeatIntervalSeconds: 1n } } });
    const beats = () =>
      host.server.received.slice(from).filter(({ message }) => partsOf(message).length === 0);
    await host.server.until("two heartbeats", () => beats().length >= 2);
    for (const { message } of beats()) {
      expect(message.instanceUid).toEqual(host.server.state?.instanceUid);
      expect(message.capabilities).not.toBe(0n);
    }
    const numbers = host.server.received.map(({ message }) => message.sequenceNum);
    expect(numbers).toEqual(numbers.map((_, index) => BigInt(index)));
  });
});
