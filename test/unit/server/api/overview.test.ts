import { describe, expect, it, onTestFinished } from "vitest";
import { formatInstanceUid } from "../../../../src/opamp/instance-uid.ts";
import { RemoteConfigStatuses } from "../../../../src/opamp/messages.ts";
import { everyAgent } from "../../../../src/opamp/selector.ts";
import { fetchJson, RawWebSocketAgent, type Report } from "../../../support/raw-agent.ts";
import { pushConfiguration, startTestServer, type TestServer, yaml } from "../test-server.ts";

interface Overview {
  counts: Record<string, number>;
  versions: { version: string | null; agents: number }[];
  configurations: { config_hash: string | null; agents: number; drifting: number }[];
}

interface Rows {
  total: number;
  rows: { id: string; name: string }[];
}

async function join({ server }: TestServer, attributes: Record<string, string>, report: Report = {}) {
  const { agent } = await RawWebSocketAgent.join(server.opampUrl, { attributes }, report);
  onTestFinished(() => agent.socket.terminate());
  return { agent, id: formatInstanceUid(agent.speaker.uid) };
}

/** Three agents of one push: one took it, one refused it, one is gone. */
async function mixedFleet() {
  const online = await startTestServer();
  const good = await join(online, { "host.name": "edge-9", "service.version": "1.0.0" });
  const bad = await join(
    online,
    { "host.name": "edge-10", "service.version": "1.0.0", env: "prod" },
    { health: { healthy: false, status: "StatusPermanentError", lastError: "no route" } },
  );
  const gone = await join(online, { "host.name": "edge-11" });
  await pushConfiguration(online.server, everyAgent, yaml("receivers:\n  otlp:\n"));
  const answer = async (agent: RawWebSocketAgent, status: RemoteConfigStatuses) => {
    const { remoteConfig } = await agent.receive();
    const lastRemoteConfigHash = remoteConfig!.configHash;
    await agent.exchange({ remoteConfigStatus: { lastRemoteConfigHash, status, errorMessage: "" } });
    return Buffer.from(lastRemoteConfigHash).toString("hex");
  };
  const hash = await answer(good.agent, RemoteConfigStatuses.RemoteConfigStatuses_APPLIED);
  await answer(bad.agent, RemoteConfigStatuses.RemoteConfigStatuses_FAILED);
  await gone.agent.close();
  await online.log.seen("agent_disconnected");
  const read = async <T>(path: string) => (await fetchJson<T>(online.api(path))).json;
  return { ...online, good, bad, gone, hash, read };
}

describe("the overview", () => {
  it("counts what each of its names lists", async () => {
    const { bad, gone, good, hash, read } = await mixedFleet();
    const { counts, versions, configurations } = await read<Overview>("/api/v1/overview");
    expect(counts).toEqual({
      agents: 3,
      connected: 2,
      disconnected: 1,
      healthy: 1,
      unhealthy: 1,
      drifting: 2,
      failed: 1,
    });
    expect(versions).toEqual([
      { version: "1.0.0", agents: 2 },
      { version: null, agents: 1 },
    ]);
    expect(configurations).toEqual([
      { config_hash: null, agents: 2, drifting: 2 },
      { config_hash: hash, agents: 1, drifting: 0 },
    ]);
    const listed = async (query: string) => {
      const { rows } = await read<Rows>(`/api/v1/overview/agents?${query}`);
      return rows.map(({ id }) => id);
    };
    expect(await listed("is=connected")).toEqual([good.id, bad.id]);
    expect(await listed("is=disconnected")).toEqual([gone.id]);
    expect(await listed("is=healthy")).toEqual([good.id]);
    expect(await listed("is=unhealthy")).toEqual([bad.id]);
    expect(await listed("is=drifting")).toEqual([bad.id, gone.id]);
    expect(await listed("is=failed")).toEqual([bad.id]);
    expect(await listed("version=1.0.0")).toEqual([good.id, bad.id]);
    expect(await listed("version=")).toEqual([gone.id]);
    expect(await listed(`config_hash=${hash}`)).toEqual([good.id]);
    expect(await listed("config_hash=")).toEqual([bad.id, gone.id]);
  });

  it("is of those that a selector picks", async () => {
    const { read } = await mixedFleet();
    const { counts } = await read<Overview>("/api/v1/overview?selector=env%3Dprod");
    expect(counts).toMatchObject({ agents: 1, failed: 1, healthy: 0 });
  });

  it("sorts as people do, either way, and gives any window of it", async () => {
    const { read } = await mixedFleet();
    const names = async (query: string) => {
      const { rows, total } = await read<Rows>(`/api/v1/overview/agents?${query}`);
      return [total, rows.map(({ name }) => name)];
    };
    expect(await names("")).toEqual([3, ["edge-9", "edge-10", "edge-11"]]);
    expect(await names("order=descending")).toEqual([3, ["edge-11", "edge-10", "edge-9"]]);
    expect(await names("sort=state")).toEqual([3, ["edge-10", "edge-11", "edge-9"]]);
    expect(await names("offset=1&limit=1")).toEqual([3, ["edge-10"]]);
    expect(await names("offset=7")).toEqual([3, []]);
  });

  it("tells a line of each agent", async () => {
    const { bad, read } = await mixedFleet();
    const { rows } = await read<Rows>("/api/v1/overview/agents?is=failed");
    expect(rows).toMatchObject([
      {
        id: bad.id,
        name: "edge-10",
        connected: true,
        healthy: false,
        status: "StatusPermanentError: no route",
        config_status: "FAILED",
        drifting: true,
        failed: true,
      },
    ]);
  });
});

describe("what an agent is to have", () => {
  it("is told in full", async () => {
    const { bad, hash, read } = await mixedFleet();
    expect(await read(`/api/v1/agents/${bad.id}/desired`)).toEqual({
      configuration: {
        config_hash: hash,
        rollout: null,
        entries: { "": "receivers:\n  otlp:\n" },
      },
      packages: null,
    });
  });
});
