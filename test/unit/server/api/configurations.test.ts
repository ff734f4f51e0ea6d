import { describe, expect, it } from "vitest";
import { fetchJson } from "../../../support/raw-agent.ts";
import { startTestServer } from "../test-server.ts";

const template = (extra = "") => `kind: ConfigTemplate
name: gateway
message: first
variables:
  rate: {type: number, min: 0, max: 100}
  env: {type: enum, values: [dev, prod], default: dev}
  token: {type: secret, required: false}
config:
  receivers: {otlp: {}}
  processors: {probabilistic_sampler: {sampling_percentage: "{{.rate}}"}}
  exporters: {otlp: {endpoint: "{{.env}}.example:4317", headers: {authorization: "{{.token}}"}}}
  service: {pipelines: {traces: {receivers: [otlp], processors: [probabilistic_sampler], exporters: [otlp]}}}
${extra}`;

interface Answer {
  status: string;
  detail: string;
  version: number;
  diff: string;
  valid: boolean;
  text: string;
  config_hash: string;
  id: string;
  errors: { place: string; message: string }[];
  problems: { place: string }[];
  applied: unknown[];
}

async function start() {
  process.env.CONFIGURATIONS_TEST_TOKEN = "t0p-secret";
  const { api } = await startTestServer({ secrets: { token: { env: "CONFIGURATIONS_TEST_TOKEN" } } });
  const call = async (method: string, path: string, body?: string | object) => {
    const text = typeof body === "object" ? JSON.stringify(body) : body;
    const init = { method, ...(text === undefined ? {} : { body: text }) };
    return await fetchJson<Answer>(api(`/api/v1/${path}`), init);
  };
  return { call };
}

describe("named configurations", () => {
  it("keeps versions, and none twice in a row", async () => {
    const { call } = await start();
    expect((await call("POST", "configs/gateway/versions", template())).json).toMatchObject({
      status: "created",
      version: 1,
      message: "first",
      author: "anonymous",
      template: true,
    });
    expect((await call("POST", "configs/gateway/versions", template("# said again\n"))).json).toMatchObject({
      status: "unchanged",
      version: 1,
    });
    await call("POST", "configs/gateway/versions?message=more", template().replace("max: 100", "max: 50"));
    const { diff } = (await call("GET", "configs/gateway/diff?from=1")).json;
    expect(diff).toContain("--- gateway@1\n+++ gateway@2\n");
    expect(diff).toContain("-    max: 100\n+    max: 50\n");
    expect((await call("GET", "configs")).json).toMatchObject({
      configs: [{ name: "gateway", version: 2, message: "more" }],
    });
    expect((await call("GET", "configs/gateway/versions/3")).status).toBe(404);
  });

  it("says what is wrong with a template or its values, and where", async () => {
    const { call } = await start();
    const wrong = await call("POST", "configs/gateway/versions", template().replace("{{.rate}}", "{{.rat}}"));
    expect(wrong.status).toBe(400);
    expect(wrong.json.detail).toBe(
      "processors.probabilistic_sampler.sampling_percentage: {{.rat}} is no variable of this template",
    );
    await call("POST", "configs/gateway/versions", template());
    const { valid, errors } = (await call("POST", "configs/gateway/validate", { values: { rate: "10" } }))
      .json;
    expect([valid, errors]).toEqual([
      false,
      [{ place: "rate", message: 'expected a number from 0 to 100, got "10"' }],
    ]);
    const { detail } = (
      await call("POST", "configs/gateway/rollout", { values: { rate: 1, token: "other" } })
    ).json;
    expect(detail).toBe("server.yaml has no secret other: add secrets.other");
  });

  it("shows what would come of it without the secrets", async () => {
    const { call } = await start();
    await call("POST", "configs/gateway/versions", template());
    await call(
      "POST",
      "configs/extra/versions",
      "exporters: {otlp: {tls: {insecure: true}}}\nservice: {extensions: [zpages]}\n",
    );
    const wish = { values: { rate: 10, token: "token" }, layers: [{ name: "extra" }] };
    const { text, problems } = (await call("POST", "configs/gateway/preview", wish)).json;
    expect(text).toContain("sampling_percentage: 10\n");
    expect(text).toContain(`authorization: "\${secret:token}"\n`);
    expect(text).toContain("insecure: true\n");
    expect(problems.map(({ place }) => place)).toEqual(["service.extensions[0]"]);
    expect((await call("POST", "configs/gateway/rollout", wish)).status).toBe(400);
    const started = await call("POST", "configs/gateway/rollout", { ...wish, unchecked: true });
    expect(started.status).toBe(200);
    expect(JSON.stringify(started.json)).not.toContain("t0p-secret");
  });
});

describe("POST /api/v1/apply", () => {
  const strategy = "kind: RolloutStrategy\nname: mine\nstages: [{share: 100%, dwell: 1s}]\n";

  it("keeps documents, and says what became of each", async () => {
    const { call } = await start();
    const both = `${template()}---\n${strategy}`;
    const statuses = async (body: string) => (await call("POST", "apply", body)).json.applied;
    const result = (status: string, version: number, other = status) => [
      { kind: "ConfigTemplate", name: "gateway", status, version },
      { kind: "RolloutStrategy", name: "mine", status: other, version: null },
    ];
    expect(await statuses(both)).toEqual(result("created", 1));
    expect(await statuses(both)).toEqual(result("unchanged", 1));
    expect(await statuses(both.replace("min: 0", "min: 1").replace("1s", "2s"))).toEqual(
      result("updated", 2),
    );
  });

  it("keeps none when one is wrong", async () => {
    const { call } = await start();
    const { status, json } = await call(
      "POST",
      "apply",
      `${template()}---\n${strategy.replace("1s", "soon")}`,
    );
    expect([status, json.detail]).toEqual([
      400,
      expect.stringContaining("stages[0].dwell: expected a duration"),
    ]);
    expect((await call("GET", "configs")).json).toEqual({ configs: [] });
  });
});
