import { describe, expect, it, onTestFinished } from "vitest";
import { formatInstanceUid } from "../../../../src/opamp/instance-uid.ts";
import { everyAgent } from "../../../../src/opamp/selector.ts";
import type { Configuration } from "../../../../src/server/configurations/configuration.ts";
import { ServerEvents } from "../../../../src/server/events.ts";
import { applyEvent, type Outcome } from "../../../../src/server/rollouts/course/apply.ts";
import type { Rollout } from "../../../../src/server/rollouts/course/rollout.ts";
import { firstState } from "../../../../src/server/rollouts/course/transition.ts";
import { ReleasedAgents } from "../../../../src/server/rollouts/released-agents.ts";
import { RolloutBook } from "../../../../src/server/rollouts/rollout-book.ts";
import { parseStrategy } from "../../../../src/server/rollouts/strategy/parse-strategy.ts";
import { openMemory } from "../../../../src/server/storage/database.ts";
import { AnsweringAgents } from "../../../support/answering-agents.ts";
import { eventually } from "../../../support/eventually.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { fetchJson, RawWebSocketAgent } from "../../../support/raw-agent.ts";
import { LogBook, pushConfiguration, startTestServer, type TestServer, yaml } from "../test-server.ts";

const old = yaml("receivers: {old: }\n");
const good = yaml("receivers: {good: }\n");
const bad = yaml("receivers: {bad: }\n");

const oneThenAll = {
  name: "one-then-all",
  stages: [
    { name: "one", count: 1, dwell: "1m" },
    { name: "all", share: "100%", dwell: "1m" },
  ],
};

async function startRollout({ server }: TestServer, configuration: Configuration, more: object = {}) {
  const { rollout } = await server.rollouts.start({
    contents: [{ kind: "configuration", desired: configuration }],
    selector: everyAgent,
    strategy: parseStrategy({ ...oneThenAll, ...more }),
    by: "ann",
    message: "a test",
  });
  return rollout.id;
}

/** Lets time pass, so much at a time, until the rollout is in that state. */
function reaches({ server, clock }: TestServer, id: string, state: string, ms = 1_000) {
  return eventually(`${id} is ${state}`, () => {
    clock.advance(ms);
    return server.rollouts.get(id).rollout.state.t === state;
  });
}

describe("a rollout over live connections", () => {
  it("offers a bad configuration to its first stage only, and takes it back by itself", async () => {
    const online = await startTestServer();
    const hosts = new AnsweringAgents(online.server.opampUrl);
    await hosts.join(3);
    await pushConfiguration(online.server, everyAgent, old);
    await eventually("all have the old one", () => hosts.have(old) === 3);
    const id = await startRollout(online, bad);
    await reaches(online, id, "rolled-back");
    expect([hosts.count(bad), hosts.have(old)]).toEqual([1, 3]);
    const story = await online.server.rollouts.story(id);
    expect(story.map(({ event }) => event)).toEqual([
      "created",
      "stage-begun",
      "breached",
      "rollback-verified",
    ]);
    expect(story[2]!.findings[0]).toMatchObject({ gate: "failed", count: 1, sample: 1 });
    expect(story[3]!.text).toBe("1 of 1 agents are back");
    expect(await online.server.rollouts.quarantined()).toMatchObject([{ hash: bad.hashHex, rollout_id: id }]);
    await expect(startRollout(online, bad)).rejects.toThrow("to try it again is explicit");
  });

  it("brings a good one to everybody, stage by stage, and then to those who come later", async () => {
    const online = await startTestServer();
    const hosts = new AnsweringAgents(online.server.opampUrl);
    await hosts.join(3);
    const id = await startRollout(online, good);
    await eventually("the first stage has it", () => hosts.have(good) === 1);
    await hosts.join(1);
    expect(hosts.have(good)).toBe(1);
    await reaches(online, id, "done", 10_000);
    expect(hosts.have(good)).toBe(4);
    await hosts.join(1);
    await eventually("who comes after the end has it too", () => hosts.have(good) === 5);
  });

  it("ends when a newer one of the same kind reaches the same Agents", async () => {
    const online = await startTestServer();
    const hosts = new AnsweringAgents(online.server.opampUrl);
    await hosts.join(2);
    const first = await startRollout(online, good);
    await eventually("the first stage has it", () => hosts.have(good) === 1);
    const second = await startRollout(online, old);
    expect(online.server.rollouts.get(first).rollout.state).toEqual({ t: "superseded", by: second });
  });
});

describe("the API of rollouts", () => {
  const post = (online: TestServer, path: string, body: unknown) =>
    fetchJson<Record<string, unknown>>(online.api(path), { method: "POST", body: JSON.stringify(body) });

  it("pauses, resumes and takes back, with a reason, and tells the story", async () => {
    const online = await startTestServer();
    const hosts = new AnsweringAgents(online.server.opampUrl);
    await hosts.join(2);
    await pushConfiguration(online.server, everyAgent, old);
    await eventually("all have the old one", () => hosts.have(old) === 2);
    const id = await startRollout(online, good);
    const path = `/api/v1/rollouts/${id}`;
    expect((await post(online, `${path}/pause`, {})).status).toBe(400);
    expect((await post(online, `${path}/pause`, { reason: "lunch" })).json).toMatchObject({
      state: "paused",
      reason: "lunch",
      stage: 0,
      progress: { released: 1 },
    });
    expect((await post(online, `${path}/pause`, { reason: "again" })).status).toBe(409);
    await post(online, `${path}/resume`, { reason: "back" });
    await post(online, `${path}/rollback`, { reason: "on second thought" });
    await reaches(online, id, "rolled-back");
    const { json } = await fetchJson<{ story: { event: string; text: string }[] }>(online.api(path));
    // Whether it was answered before or after is the Agent's matter.
    const story = json.story.filter(({ event }) => event !== "all-answered");
    expect(story.map(({ event, text }) => [event, text])).toEqual([
      ["created", "a test"],
      ["stage-begun", expect.stringContaining("stage one begins with 1 agents")],
      ["pause", "lunch"],
      ["resume", "back"],
      ["roll-back", "on second thought"],
      ["rollback-verified", "1 of 1 agents are back"],
    ]);
    expect(hosts.have(old)).toBe(2);
  });

  it("explains who is in which stage, and who is blocked", async () => {
    const online = await startTestServer();
    const attributes = { "deployment.canary": "true" };
    const canary = await RawWebSocketAgent.join(online.server.opampUrl, { attributes });
    const deaf = await RawWebSocketAgent.join(online.server.opampUrl, { capabilities: 1n });
    onTestFinished(() => {
      for (const { agent } of [canary, deaf]) agent.socket.terminate();
    });
    const id = await startRollout(online, good);
    const explain = async ({ agent }: typeof canary) =>
      (
        await fetchJson<object>(
          online.api(`/api/v1/rollouts/${id}/explain/${formatInstanceUid(agent.speaker.uid)}`),
        )
      ).json;
    expect(await explain(canary)).toMatchObject({ stage: 0, because: "canary", released: true });
    expect(await explain(deaf)).toMatchObject({
      stage: null,
      blocked: "does not accept remote configuration",
    });
  });

  it("lets nobody approve a change of their own", async () => {
    const online = await startTestServer();
    const id = await startRollout(online, good, { approval: true });
    const { rollouts } = online.server;
    expect(rollouts.get(id).rollout.state).toEqual({ t: "pending" });
    await expect(rollouts.decide(id, "approve", "ann", "mine")).rejects.toThrow("a second person");
    await rollouts.decide(id, "approve", "bob", "fine");
    expect(rollouts.get(id).rollout.state).toMatchObject({ t: "running", stage: 0 });
  });

  it("goes back to what ran before, to a hash, and refuses what was never there", async () => {
    const online = await startTestServer();
    const hosts = new AnsweringAgents(online.server.opampUrl);
    await hosts.join(2);
    await pushConfiguration(online.server, everyAgent, old);
    await pushConfiguration(online.server, everyAgent, good);
    await eventually("all have the good one", () => hosts.have(good) === 2);
    const wish = { selector: { labels: { "service.name": "raw-agent" } }, reason: "errors" };
    const back = await post(online, "/api/v1/rollback", { ...wish, to_version: "previous" });
    expect(back.json).toMatchObject({ matched: 2, config_hash: null });
    await eventually("all have the old one again", () => hosts.have(old) === 2);
    const forth = await post(online, "/api/v1/rollback", { ...wish, config_hash: `sha256-${good.hashHex}` });
    expect(forth.json).toMatchObject({ config_hash: good.hashHex });
    await eventually("all have the good one again", () => hosts.have(good) === 2);
    const never = await post(online, "/api/v1/rollback", { ...wish, config_hash: "0".repeat(64) });
    expect(never).toMatchObject({
      status: 404,
      json: { detail: expect.stringContaining("was ever pushed") },
    });
  });

  it("shows who would come into which stage, and brings them there", async () => {
    const online = await startTestServer();
    const hosts = new AnsweringAgents(online.server.opampUrl);
    await hosts.join(3);
    await pushConfiguration(online.server, everyAgent, old);
    await eventually("all have the old one", () => hosts.have(old) === 3);
    const wish = { config_hash: old.hashHex, strategy: oneThenAll, reissue: true };
    const { json: preview } = await post(online, "/api/v1/rollouts/preview", wish);
    expect(preview).toMatchObject({
      stages: [
        { name: "one", adds: [expect.any(String)] },
        { name: "all", adds: [expect.any(String), expect.any(String)] },
      ],
      blocked: [],
      nothing_below: [],
    });
    const [first] = preview.stages as { adds: string[] }[];
    const { json: started } = await post(online, "/api/v1/rollouts", { ...wish, id: preview.id });
    expect(started).toMatchObject({ id: preview.id, state: "running", stage: 0 });
    const path = `/api/v1/rollouts/${String(preview.id)}`;
    const members = async () =>
      (await fetchJson<{ agents: object[] }>(online.api(`${path}/agents`))).json.agents;
    expect(await members()).toMatchObject([{ id: first!.adds[0], stage: 0, because: "share", back: null }]);
    await post(online, `${path}/rollback`, { reason: "a drill" });
    await reaches(online, String(preview.id), "rolled-back");
    expect(await members()).toMatchObject([{ id: first!.adds[0], back: "back" }]);
  });

  it("keeps strategies of this server's own, and says what is wrong with one", async () => {
    const online = await startTestServer();
    expect((await post(online, "/api/v1/strategies", oneThenAll)).json).toMatchObject({
      name: "one-then-all",
    });
    const { json } = await fetchJson<{ strategies: { name: string }[] }>(online.api("/api/v1/strategies"));
    expect(json.strategies.map(({ name }) => name)).toEqual([
      "default",
      "standard",
      "progressive",
      "immediate",
      "one-then-all",
    ]);
    const wrong = await post(online, "/api/v1/strategies", {
      name: "x",
      stages: [{ share: "5", dwell: "1m" }],
    });
    expect(wrong).toMatchObject({
      status: 400,
      json: { detail: expect.stringContaining("stages[0].share") },
    });
    const push = await fetchJson<object>(online.api("/api/v1/config?strategy=one-then-all"), {
      method: "POST",
      body: "receivers: {otlp: }\n",
    });
    expect(push.json).toMatchObject({ strategy: "one-then-all", matched: 0 });
  });
});

describe("two servers on one database", () => {
  it("never both write what they decided on the same rollout", async () => {
    const database = await openMemory();
    onTestFinished(() => database.close());
    const clock = new ManualClock();
    const options = {
      database,
      clock,
      log: new LogBook(),
      events: new ServerEvents({ clock, run: "a", kept: 1 }),
    };
    const open = () => RolloutBook.open({ ...options, released: new ReleasedAgents() });
    const strategy = parseStrategy(oneThenAll);
    const here = await open();
    const rollout: Rollout = {
      id: "r1",
      changes: [],
      selector: "",
      strategy,
      createdAt: 0,
      createdBy: "ann",
      message: "",
      state: firstState(strategy, 0),
      begun: undefined,
      isOpen: false,
      breachedSince: {},
      tolerated: [],
    };
    const entry = await here.create(rollout, async () => [], []);
    const there = await open();
    const paused = applyEvent(rollout, {
      what: { t: "pause", reason: "wait" },
      by: "bob",
      text: "wait",
      findings: [],
      now: 1,
    }) as Outcome;
    await there.commit(there.get("r1")!, paused);
    await expect(here.commit(entry, paused)).rejects.toThrow("written by another server");
    expect(entry.rollout.state.t).toBe("running");
    await here.refresh();
    expect(here.get("r1")!.rollout.state).toMatchObject({ t: "paused", reason: "wait" });
    expect(await here.story("r1")).toHaveLength(1);
  });
});
