import { describe, expect, it, onTestFinished } from "vitest";
import { parseSelector } from "../../../../src/opamp/selector.ts";
import type { Notification } from "../../../../src/server/notifications/notification.ts";
import { readyMadeStrategies } from "../../../../src/server/rollouts/strategy/ready-made.ts";
import { HttpHook } from "../../../support/http-hook.ts";
import { fetchJson, RawWebSocketAgent } from "../../../support/raw-agent.ts";
import { startTestServer, type TestServer, testSettings, yaml } from "../test-server.ts";

const immediate = readyMadeStrategies.get("immediate")!;

async function watched() {
  const hook = await HttpHook.start();
  const webhooks = [{ url: hook.url, secret: undefined }];
  const server = await startTestServer({ notifications: { ...testSettings.notifications, webhooks } });
  const told = () => hook.calls.map(({ body }) => JSON.parse(body) as Notification);
  return { hook, server, told };
}

async function enter({ server }: TestServer, uid?: Uint8Array): Promise<RawWebSocketAgent> {
  const options = { attributes: { env: "prod" }, ...(uid && { uid }) };
  const { agent } = await RawWebSocketAgent.join(server.opampUrl, options);
  onTestFinished(() => agent.socket.terminate());
  return agent;
}

const start = ({ server }: TestServer, approval: boolean) =>
  server.rollouts.start({
    contents: [{ kind: "configuration", desired: yaml("receivers:\n") }],
    selector: parseSelector("env=prod"),
    strategy: { ...immediate, approval },
    by: "ann",
    message: "a new receiver",
  });

describe("people are told", () => {
  it("that a rollout waits for approval, and how to give it", async () => {
    const { server, told } = await watched();
    await enter(server);
    const { rollout } = await start(server, true);
    await expect.poll(told).toHaveLength(1);
    expect(told()[0]).toMatchObject({
      kind: "rollout.approval",
      title: `Rollout ${rollout.id} waits for approval`,
      about: { rollout: rollout.id, by: "ann" },
    });
    expect(told()[0]!.text).toContain(`opamp-server ctl rollout approve ${rollout.id}`);
  });

  it("that a rollout is taken back, and when it is; nothing of one that goes well", async () => {
    const { server, told } = await watched();
    await enter(server);
    const { rollout } = await start(server, false);
    await server.server.rollouts.decide(rollout.id, "roll-back", "bob", "data is missing");
    await expect.poll(told).not.toEqual([]);
    expect(told()[0]).toMatchObject({
      kind: "rollout.rollback",
      title: `Rollout ${rollout.id} is taken back by bob`,
      text: "data is missing",
    });
  });

  it("once when too many agents are gone, and once when they are back", async () => {
    const { server, told } = await watched();
    const agents = [await enter(server), await enter(server)];
    agents[0]!.socket.terminate();
    await expect.poll(() => server.log.of("agent_disconnected")).toHaveLength(1);
    server.clock.advance(60_000);
    expect(told()).toEqual([]);
    server.clock.advance(30_000);
    await expect.poll(told).toHaveLength(1);
    expect(told()[0]).toMatchObject({
      kind: "agents.lost",
      severity: "warning",
      title: "50.0 % of the agents cannot be reached",
      about: { lost: 1, known: 2 },
    });
    await enter(server, agents[0]!.speaker.uid);
    server.clock.advance(90_000);
    await expect.poll(told).toHaveLength(2);
    expect(told()[1]).toMatchObject({ severity: "info", title: "The agents are back" });
  });

  it("of API keys that end soon", async () => {
    const { server, told } = await watched();
    const made = await fetchJson<{ id: string }>(server.api("/api/v1/tokens"), {
      method: "POST",
      body: JSON.stringify({ name: "ci", role: "viewer" }),
      headers: { "content-type": "application/json" },
    });
    expect(made.status).toBe(201);
    server.clock.jump(61 * 86_400_000);
    server.clock.advance(30_000);
    await expect.poll(told).toHaveLength(1);
    expect(told()[0]).toMatchObject({ kind: "credential.expiring", title: "The API key ci ends in 28 days" });
  });

  it("without anything else waiting for it", async () => {
    const { hook, server, told } = await watched();
    hook.statuses.push(500);
    const agent = await enter(server);
    await start(server, true);
    await server.log.seen("notification_delayed");
    await agent.exchange({ health: { healthy: true } });
    server.clock.advance(1000);
    await expect.poll(told).toHaveLength(2);
    expect(told()[1]!.id).toBe(told()[0]!.id);
  });
});
