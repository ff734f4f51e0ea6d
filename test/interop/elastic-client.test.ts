import { createOpAMPClient } from "@elastic/opamp-client-node";
import { describe, expect, it } from "vitest";
import { AgentCapability } from "../../src/opamp/bits.ts";
import { formatInstanceUid } from "../../src/opamp/instance-uid.ts";
import { RemoteConfigStatuses } from "../../src/opamp/messages.ts";
import { OpampServer } from "./opamp-server.ts";

const yaml = "log_level: debug\n";

type Verdict = { status: RemoteConfigStatuses; errorMessage?: string };

/** Elastic's client, polling quickly, that answers every configuration with the verdict. */
async function startClient(server: OpampServer, verdict: Verdict) {
  const offers: { hash: string; texts: string[] }[] = [];
  const client = createOpAMPClient({
    endpoint: server.endpoint("http"),
    heartbeatIntervalSeconds: 0.2,
    capabilities: AgentCapability.AcceptsRemoteConfig | AgentCapability.ReportsRemoteConfig,
    onMessage: ({ remoteConfig }) => {
      if (remoteConfig === undefined) return;
      const files: { body: Uint8Array }[] = Object.values(remoteConfig.config?.configMap ?? {});
      offers.push({
        hash: Buffer.from(remoteConfig.configHash).toString("hex"),
        texts: files.map(({ body }) => Buffer.from(body).toString()),
      });
      const status = { ...verdict, lastRemoteConfigHash: remoteConfig.configHash };
      client.setRemoteConfigStatus(status as Parameters<typeof client.setRemoteConfigStatus>[0]);
    },
  });
  client.setAgentDescription({
    identifyingAttributes: { "service.name": "elastic-agent" },
    nonIdentifyingAttributes: { "host.name": "a1" },
  });
  client.start();
  return {
    id: formatInstanceUid(client.getInstanceUid()),
    offers,
    [Symbol.asyncDispose]: () => client.shutdown(),
  };
}

describe("Elastic's client at our server", () => {
  it("is listed with its description", async () => {
    await using server = await OpampServer.start();
    await using client = await startClient(server, {
      status: RemoteConfigStatuses.RemoteConfigStatuses_APPLIED,
    });
    const agent = await server.agent(client.id, "known", ({ connected }) => connected);
    expect(agent).toMatchObject({
      transport: "http",
      labels: { "service.name": "elastic-agent", "host.name": "a1" },
    });
    expect(agent.capabilities).toContain("ReportsRemoteConfig");
  });

  it("gets a pushed configuration and is seen to have applied it", async () => {
    await using server = await OpampServer.start();
    await using client = await startClient(server, {
      status: RemoteConfigStatuses.RemoteConfigStatuses_APPLIED,
    });
    const hash = await server.push(yaml);
    const applied = await server.agent(
      client.id,
      "APPLIED",
      ({ remote_config_status }) => remote_config_status?.status === "APPLIED",
    );
    expect(applied.remote_config_status?.hash).toBe(hash);
    expect(client.offers).toEqual([{ hash, texts: [yaml] }]);
  });

  it("is seen to have refused a configuration, with its reason, and is not offered it again", async () => {
    await using server = await OpampServer.start();
    await using client = await startClient(server, {
      status: RemoteConfigStatuses.RemoteConfigStatuses_FAILED,
      errorMessage: "log_level: unknown value",
    });
    const hash = await server.push(yaml);
    const failed = await server.agent(
      client.id,
      "FAILED",
      ({ remote_config_status }) => remote_config_status?.status === "FAILED",
    );
    expect(failed.remote_config_status).toEqual({
      status: "FAILED",
      hash,
      error: "log_level: unknown value",
    });
    await server.agent(client.id, "heard again", ({ sequence }) => sequence >= failed.sequence + 3);
    expect(client.offers).toHaveLength(1);
  });
});
