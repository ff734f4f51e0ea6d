import { describe, expect, it, onTestFinished } from "vitest";
import { AgentCapability } from "../../../../src/opamp/bits.ts";
import { formatInstanceUid } from "../../../../src/opamp/instance-uid.ts";
import { fetchJson, RawWebSocketAgent, usualCapabilities } from "../../../support/raw-agent.ts";
import { startTestServer, type TestServer } from "../test-server.ts";

async function join({ server }: TestServer, capabilities: bigint) {
  const options = { capabilities, attributes: { env: "prod" } };
  const { agent } = await RawWebSocketAgent.join(server.opampUrl, options);
  onTestFinished(() => agent.socket.terminate());
  return { agent, id: formatInstanceUid(agent.speaker.uid) };
}

const restartable = usualCapabilities | AgentCapability.AcceptsRestartCommand;

const restart = (online: TestServer, query: string) =>
  fetchJson(online.api(`/api/v1/agents/restart?${query}`), { method: "POST" });

describe("POST /api/v1/agents/restart", () => {
  it("restarts the Agents of a selector, no more in a second than it is told", async () => {
    const online = await startTestServer();
    const agents = [await join(online, restartable), await join(online, restartable)];
    const unable = await join(online, usualCapabilities);
    const { status, json } = await restart(online, "selector=env=prod&rate=0.5");
    expect([status, json]).toEqual([
      202,
      {
        matched: 3,
        restarting: 2,
        seconds: 2,
        skipped: [{ id: unable.id, reason: expect.stringContaining("AcceptsRestartCommand") }],
      },
    ]);
    expect((await agents[0]!.agent.receive()).command).toBeDefined();
    online.clock.advance(1999);
    const again = await restart(online, "selector=env=prod");
    expect([again.status, again.json.type]).toEqual([409, "/api/v1/docs#restarts-under-way"]);
    expect(agents[1]!.agent.unread).toBe(0);
    online.clock.advance(1);
    expect((await agents[1]!.agent.receive()).command).toBeDefined();
    expect((await restart(online, "all=true")).status).toBe(202);
    expect((await agents[0]!.agent.receive()).command).toBeDefined();
  });

  it.each(["", "selector=", "selector=a=b&all=true", "all=false", "all=true&rate=0"])(
    "restarts nobody by ?%s",
    async (query) => {
      const online = await startTestServer();
      const { agent } = await join(online, restartable);
      expect((await restart(online, query)).status).toBe(400);
      expect((await agent.exchange({})).command).toBeUndefined();
    },
  );

  it("restarts nobody any more once the server stops", async () => {
    const online = await startTestServer();
    await join(online, restartable);
    await join(online, restartable);
    await restart(online, "all=true&rate=0.01");
    const closed = online.server.close();
    expect(online.log.of("restarts_dropped")).toMatchObject([{ agents: 1 }]);
    online.clock.advance(10_000);
    await closed;
  });
});
