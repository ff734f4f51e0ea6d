import { describe, expect, it } from "vitest";
import { LossyRelay } from "./lossy-relay.ts";
import { OpampServer } from "./opamp-server.ts";
import { OpampGoClient } from "./opampgo-client.ts";

const yaml = "receivers:\n  otlp:\n    protocols:\n      http:\n";

describe.each(["ws", "http"] as const)("opamp-go's client at our server over %s", (scheme) => {
  it("SS5: is listed with its description, capabilities and health", async () => {
    await using server = await OpampServer.start();
    await using client = await OpampGoClient.start(server.endpoint(scheme), "checkout");
    const agent = await server.agent(client.instanceUid, "known", ({ connected }) => connected);
    expect(agent).toMatchObject({
      transport: scheme === "ws" ? "websocket" : "http",
      labels: { "service.name": "checkout", "os.type": "linux" },
      health: { healthy: true },
    });
    expect(agent.capabilities).toContain("AcceptsRemoteConfig");
    client.health(false, "disk full");
    const ill = await server.agent(client.instanceUid, "ill", ({ health }) => health?.healthy === false);
    expect(ill.health?.last_error).toBe("disk full");
  });

  it("gets a pushed configuration and is seen to have applied it", async () => {
    await using server = await OpampServer.start();
    await using client = await OpampGoClient.start(server.endpoint(scheme), "checkout");
    await server.agent(client.instanceUid, "known", ({ connected }) => connected);
    const hash = await server.push(yaml);
    const offer = await client.offer(hash);
    expect(Object.values(offer.files)).toEqual([yaml]);
    const applied = await server.agent(
      client.instanceUid,
      "APPLIED",
      ({ remote_config_status }) => remote_config_status?.status === "APPLIED",
    );
    expect(applied.remote_config_status?.hash).toBe(hash);
    const effective = await server.agent(
      client.instanceUid,
      "reporting its effective configuration",
      ({ effective_config }) => Object.keys(effective_config ?? {}).length > 0,
    );
    expect(Object.values(effective.effective_config ?? {})).toEqual([yaml]);
  });

  it("is seen to have refused a configuration, with its reason, and is not offered it again", async () => {
    await using server = await OpampServer.start();
    await using client = await OpampGoClient.start(server.endpoint(scheme), "checkout");
    client.answer("FAILED", "no such receiver");
    await server.agent(client.instanceUid, "known", ({ connected }) => connected);
    const hash = await server.push(yaml);
    const failed = await server.agent(
      client.instanceUid,
      "FAILED",
      ({ remote_config_status }) => remote_config_status?.status === "FAILED",
    );
    expect(failed.remote_config_status).toEqual({ status: "FAILED", hash, error: "no such receiver" });
    await server.agent(client.instanceUid, "heard again", ({ sequence }) => sequence >= failed.sequence + 3);
    expect(client.offers).toHaveLength(1);
  });

  it("SS1: is asked for its full state after a message was lost", async () => {
    await using server = await OpampServer.start();
    await using relay = await LossyRelay.start(server.opampPort);
    await using client = await OpampGoClient.start(relay.endpoint(scheme), "checkout");
    await server.agent(client.instanceUid, "known", ({ connected }) => connected);
    expect(relay.fullStateRequests).toBe(0);
    const lost = relay.lose(({ agentDescription }) => agentDescription !== undefined);
    client.rename("renamed");
    await lost;
    await server.agent(client.instanceUid, "renamed", ({ labels }) => labels["service.name"] === "renamed");
    expect(relay.fullStateRequests).toBe(1);
  });

  it("comes back after the server was restarted and is known in full again", async () => {
    await using server = await OpampServer.start();
    await using client = await OpampGoClient.start(server.endpoint(scheme), "checkout");
    const hash = await server.push(yaml);
    await client.offer(hash);
    await server.agent(
      client.instanceUid,
      "APPLIED",
      ({ remote_config_status }) => remote_config_status?.status === "APPLIED",
    );
    await server.restart();
    const agent = await server.agent(
      client.instanceUid,
      "known again",
      ({ connected, labels }) => connected && labels["service.name"] === "checkout",
    );
    expect(agent).toMatchObject({
      health: { healthy: true },
      remote_config_status: { status: "APPLIED", hash },
    });
  });
});
