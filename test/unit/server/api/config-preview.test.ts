import { describe, expect, it, onTestFinished } from "vitest";
import { fetchJson, RawWebSocketAgent } from "../../../support/raw-agent.ts";
import { startTestServer } from "../test-server.ts";

async function fleetOf(size: number) {
  const online = await startTestServer();
  for (let index = 0; index < size; index += 1) {
    const attributes = { "host.name": `edge-${index}`, env: index % 2 ? "prod" : "staging" };
    const { agent } = await RawWebSocketAgent.join(online.server.opampUrl, { attributes });
    onTestFinished(() => agent.socket.terminate());
  }
  const post = (path: string, body: string) =>
    fetchJson<Record<string, unknown> & { rollout: string }>(online.api(path), { method: "POST", body });
  return { ...online, post };
}

describe("a preview of a push", () => {
  it("says who would get it and when, and changes nothing", async () => {
    const { api, post, server } = await fleetOf(4);
    const { status, json } = await post("/api/v1/config/preview?strategy=standard", "receivers:\n  otlp:\n");
    expect([status, json]).toMatchObject([
      200,
      {
        config_hash: expect.stringMatching(/^[0-9a-f]{64}$/),
        matched: 4,
        strategy: "standard",
        stages: [
          { name: "canary", adds: 1 },
          { name: "staging", adds: 1 },
          { name: "production", adds: 2 },
        ],
        blocked: 0,
        unreachable: 0,
        nothing_below: 4,
      },
    ]);
    expect(server.rollouts.list()).toEqual([]);
    const { json: audit } = await fetchJson<{ entries: unknown[] }>(api("/api/v1/audit"));
    expect(audit.entries).toEqual([]);
  });

  it("picks by the selector, and names who is in which stage", async () => {
    const { post } = await fleetOf(4);
    const { json } = await post("/api/v1/config/preview?selector=env%3Dprod", "receivers:\n  otlp:\n");
    expect(json).toMatchObject({
      matched: 2,
      stages: [{ adds: 2, agents: [expect.any(String), expect.any(String)] }],
    });
  });

  it.each([
    ["", "a:\n  b: [", /bad-configuration$/, "line 2"],
    ["?selector=a%3D%3D", "a: 1", /bad-selector$/, ""],
    ["?strategy=none", "a: 1", /no-such-strategy$/, "none"],
  ])("explains what is wrong with %s %s", async (query, body, type, detail) => {
    const { post } = await fleetOf(0);
    const { status, json } = await post(`/api/v1/config/preview${query}`, body);
    expect(status).toBeGreaterThanOrEqual(400);
    expect(json).toMatchObject({
      type: expect.stringMatching(type),
      detail: expect.stringContaining(detail),
    });
  });
});

describe("the stages of a rollout", () => {
  it("tell how far each is and when the one that is watched may pass", async () => {
    const { api, clock, post } = await fleetOf(4);
    const { json } = await post("/api/v1/config?strategy=standard", "receivers:\n  otlp:\n");
    const { json: stages } = await fetchJson(api(`/api/v1/rollouts/${json.rollout}/stages`));
    expect(stages).toMatchObject({
      since: new Date(clock.now()).toISOString(),
      dwell_ends_at: null,
      stages: [
        { name: "canary", planned: 1, state: "releasing", released: 1, applied: 0, waiting: 1 },
        { name: "staging", planned: 1, state: "to-come", members: 0 },
        { name: "production", planned: 2, state: "to-come", members: 0 },
      ],
    });
    const decided = await post(`/api/v1/rollouts/${json.rollout}/pause`, JSON.stringify({ reason: "lunch" }));
    expect(decided.status).toBe(200);
    const paused = await fetchJson(api(`/api/v1/rollouts/${json.rollout}/stages`));
    expect(paused.json).toMatchObject({ stages: [{ state: "releasing" }, { state: "to-come" }, {}] });
  });
});
