import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { formatInstanceUid } from "../../../src/opamp/instance-uid.ts";
import { RemoteConfigStatuses, type ServerToAgent } from "../../../src/opamp/messages.ts";
import { eventually } from "../../support/eventually.ts";
import { postgresObstacle, startPostgres, type TestPostgres } from "../../support/postgres.ts";
import { fetchJson, RawHttpAgent, RawWebSocketAgent, type Report } from "../../support/raw-agent.ts";
import { onFreePorts, ServerProcess, settingsFile } from "../../support/server-process.ts";

const cannot = process.env.CI === undefined && postgresObstacle !== undefined;
const { RemoteConfigStatuses_APPLIED: APPLIED, RemoteConfigStatuses_FAILED: FAILED } = RemoteConfigStatuses;

interface Replica {
  process: ServerProcess;
  opamp: URL;
  management: URL;
}

async function startReplica(postgresUrl: string): Promise<Replica> {
  const text = `${onFreePorts}storage:\n  postgres_url: ${postgresUrl}\n`;
  const process = new ServerProcess("--config", await settingsFile(text));
  return { process, ...(await process.urls()) };
}

const offeredHash = (message: ServerToAgent) =>
  message.remoteConfig && Buffer.from(message.remoteConfig.configHash).toString("hex");

const answer = (hash: string, status: number): Report => ({
  remoteConfigStatus: { lastRemoteConfigHash: new Uint8Array(Buffer.from(hash, "hex")), status },
});

async function push({ management }: Replica, text: string): Promise<string> {
  const body = `receivers:\n  ${text}:\n`;
  const url = new URL("/api/v1/config?strategy=immediate", management);
  const { json, status } = await fetchJson(url, { method: "POST", body });
  expect(status).toBe(200);
  return String(json.config_hash);
}

interface AgentView {
  id: string;
  condition: string;
  connected: boolean;
  config_hash: string | null;
}

async function agentsAt({ management }: Replica): Promise<AgentView[]> {
  const { json } = await fetchJson<{ agents: AgentView[] }>(new URL("/api/v1/agents", management));
  return json.agents;
}

async function join({ opamp }: Replica, uid?: Uint8Array, report: Report = {}) {
  const joined = await RawWebSocketAgent.join(opamp, uid === undefined ? {} : { uid }, report);
  onTestFinished(() => joined.agent.socket.terminate());
  return { ...joined, id: formatInstanceUid(joined.agent.speaker.uid) };
}

describe.skipIf(cannot)("two servers on one PostgreSQL", () => {
  let postgres: TestPostgres;
  beforeAll(async () => {
    postgres = await startPostgres();
  });
  afterAll(() => postgres[Symbol.asyncDispose]());

  async function two(): Promise<[Replica, Replica]> {
    const url = await postgres.freshDatabase();
    return await Promise.all([startReplica(url), startReplica(url)]);
  }

  it("offer each to its own what is pushed at one, and show each other's agents", async () => {
    const [here, there] = await two();
    const mine = await join(here);
    const other = await join(there);
    const hash = await push(here, "a");
    expect(offeredHash(await mine.agent.receive())).toBe(hash);
    expect(offeredHash(await other.agent.receive())).toBe(hash);
    await other.agent.exchange(answer(hash, APPLIED));
    await eventually("the other's agent is shown with what it runs", async () => {
      const view = (await agentsAt(here)).find(({ id }) => id === other.id);
      return view?.connected === true && view.config_hash === hash;
    });
    await other.agent.close();
    await eventually("it is shown as gone", async () =>
      (await agentsAt(here)).some(({ id, condition }) => id === other.id && condition === "gone"),
    );
  });

  it("know an agent that moves between them: no full report, no offer of what it answered", async () => {
    const [here, there] = await two();
    const hash = await push(here, "a");
    const agent = new RawHttpAgent(here.opamp);
    expect(offeredHash(await agent.exchange(agent.speaker.full({})))).toBe(hash);
    await agent.exchange(answer(hash, FAILED));
    await eventually("the other knows what it answered", async () => {
      const [view] = await agentsAt(there);
      return view !== undefined && JSON.stringify(view).includes("FAILED");
    });
    const moved = new RawHttpAgent(there.opamp, { uid: agent.speaker.uid });
    moved.speaker.sequence = agent.speaker.sequence;
    const answered = await moved.exchange({});
    expect(answered.flags).toBe(0n);
    expect(offeredHash(answered)).toBeUndefined();
  });

  it("tell a second agent of one UID to take another, wherever it connects (SI3)", async () => {
    const [here, there] = await two();
    const first = await join(here);
    await eventually("the other knows it", async () => (await agentsAt(there)).length === 1);
    const second = await join(there, first.agent.speaker.uid);
    expect(second.answer.agentIdentification?.newInstanceUid).toHaveLength(16);
    expect((await first.agent.exchange({})).agentIdentification).toBeUndefined();
  });

  it("lose nothing and repeat nothing when one is killed while configurations are pushed", async () => {
    const [here, there] = await two();
    const joined = await Promise.all(
      Array.from({ length: 20 }, (_, index) => join(index % 2 === 0 ? here : there)),
    );
    let last = "";
    const repeated: string[] = [];
    const answered = new Map<string, Set<string>>(joined.map(({ id }) => [id, new Set()]));
    const obey = async ({ agent, id }: (typeof joined)[number]) => {
      for (;;) {
        const hash = offeredHash(await agent.receive());
        if (hash === undefined) continue;
        if (answered.get(id)?.has(hash) === true) repeated.push(`${hash} to ${id}`);
        answered.get(id)?.add(hash);
        agent.send(answer(hash, hash.startsWith("f") ? FAILED : APPLIED));
      }
    };
    // Ends when its connection does.
    for (const each of joined) obey(each).catch(() => undefined);
    for (let index = 0; index < 10; index += 1) {
      if (index === 5) here.process.child.kill("SIGKILL");
      last = await push(there, `version_${index}`);
    }
    const lost = joined.filter((_, index) => index % 2 === 0);
    const moved = await Promise.all(
      lost.map(async ({ agent, id }) => {
        await agent.closed;
        const said = [...(answered.get(id) ?? [])].at(-1);
        const again = await join(there, agent.speaker.uid, said === undefined ? {} : answer(said, APPLIED));
        const offered = offeredHash(again.answer);
        // Not told to take another UID, and offered the newest, which it has not answered.
        expect(again.answer.agentIdentification).toBeUndefined();
        expect(offered).toBe(last);
        answered.get(id)?.add(last);
        await again.agent.exchange(answer(last, APPLIED));
        return again;
      }),
    );
    await eventually("all have it", async () => {
      const agents = await agentsAt(there);
      return agents.length === 20 && [...answered.values()].every((hashes) => hashes.has(last));
    });
    for (const { agent } of moved) expect(offeredHash(await agent.exchange({}))).toBeUndefined();
    expect(repeated).toEqual([]);
  });

  it("say of agents of a killed one that they are gone, when its lease has ended", async () => {
    const [here, there] = await two();
    const { id } = await join(here);
    await eventually("the other knows it", async () => (await agentsAt(there)).length === 1);
    here.process.child.kill("SIGKILL");
    await eventually(
      "it is gone",
      async () => (await agentsAt(there)).some((each) => each.id === id && each.condition === "gone"),
      40_000,
    );
  });

  it("go on without PostgreSQL, and catch up when it is back", async () => {
    const own = await startPostgres();
    try {
      const url = await own.freshDatabase();
      const [here, there] = await Promise.all([startReplica(url), startReplica(url)]);
      const mine = await join(here);
      await eventually("the other knows it", async () => (await agentsAt(there)).length === 1);
      await own.kill();
      expect((await mine.agent.exchange({ health: { healthy: false } })).errorResponse).toBeUndefined();
      await own.start();
      await eventually(
        "the other knows what was said meanwhile",
        async () => (await agentsAt(there)).some(({ condition }) => condition === "unhealthy"),
        30_000,
      );
      const hash = await push(there, "a");
      expect(offeredHash(await mine.agent.receive())).toBe(hash);
    } finally {
      await own[Symbol.asyncDispose]();
    }
  });
});
