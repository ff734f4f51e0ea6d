import { describe, expect, it } from "vitest";
import { collectorBinary } from "../../support/collector.ts";
import { eventually } from "../../support/eventually.ts";
import { freePorts } from "../../support/free-port.ts";
import { fetchJson } from "../../support/raw-agent.ts";
import { ServerProcess, settingsFile } from "../../support/server-process.ts";
import { supervisorHost } from "../../support/supervisor-host.ts";
import { tempDir } from "../../support/temp-dir.ts";

const token = "t0p-secret-$of-the-backend";

describe("a template of opamp-server", { timeout: 90_000 }, () => {
  it("reaches a Collector with the types of its values and its secret, which nothing shows", async () => {
    const ports = await freePorts("opamp", "management");
    const settings = await settingsFile(
      JSON.stringify({
        opamp: { endpoint: `127.0.0.1:${ports.opamp}` },
        management: { endpoint: `127.0.0.1:${ports.management}` },
        storage: { directory: tempDir() },
        validation: { collector: collectorBinary() },
        secrets: { backend: { file: await settingsFile(`${token}\n`) } },
      }),
    );
    const server = new ServerProcess("--config", settings);
    const { management } = await server.urls();
    const post = async (path: string, body: string) => {
      const { status, json } = await fetchJson<Posted>(new URL(path, management), {
        method: "POST",
        body,
      });
      return { ...json, httpStatus: status };
    };
    const host = await supervisorHost({
      server: "down",
      settings: { server: { endpoint: `ws://127.0.0.1:${ports.opamp}/v1/opamp` } },
      secrets: [token],
    });
    const pipeline = host.pipeline({ statements: ['set(log.attributes["text"], "{{.text}}")'] });
    const document = {
      kind: "ConfigTemplate",
      name: "edge",
      variables: {
        size: { type: "number", min: 1 },
        text: { type: "string", default: "007" },
        token: { type: "secret", default: "backend" },
      },
      config: {
        ...pipeline,
        processors: { ...pipeline.processors, batch: { send_batch_size: "{{.size}}" } },
        exporters: {
          otlphttp: { ...pipeline.exporters.otlphttp, headers: { authorization: "Bearer {{.token}}" } },
        },
        service: {
          ...pipeline.service,
          pipelines: {
            logs: { receivers: ["otlp"], processors: ["batch", "transform"], exporters: ["otlphttp"] },
          },
        },
      },
    };
    expect(await post("/api/v1/apply", JSON.stringify(document))).toMatchObject({
      applied: [{ name: "edge", status: "created", version: 1 }],
    });
    await host.start();
    await eventually("the host is there", async () => (await agents(management)).length === 1, 30_000);

    const refused = await post(
      "/api/v1/configs/edge/validate",
      JSON.stringify({ values: { size: 1, text: '"' } }),
    );
    expect(refused).toMatchObject({ valid: false, collector: { verdict: "invalid" } });
    expect(JSON.stringify(refused)).not.toContain(token);

    const rollout = await post(
      "/api/v1/configs/edge/rollout",
      JSON.stringify({ values: { size: 100 }, strategy: "immediate" }),
    );
    expect(rollout.detail).toBeUndefined();
    expect(rollout).toMatchObject({ httpStatus: 200, layers: [{ name: "edge", version: 1 }] });
    await eventually("it is applied", async () => {
      const [agent] = await agents(management);
      return agent?.config_hash === rollout.config_hash;
    });
    const effective = await host.readState("effective.yaml");
    expect(effective).toMatch(/send_batch_size: 100\n/);
    expect(effective).toContain(token.replaceAll("$", "$$$$"));
    await host.expectDataFlows();
    expect(server.output + server.errors).not.toContain(token);
  });
});

interface Posted {
  detail?: string;
  config_hash?: string;
}

interface AgentView {
  config_hash: string | null;
}

async function agents(management: URL): Promise<AgentView[]> {
  return (await fetchJson<{ agents: AgentView[] }>(new URL("/api/v1/agents", management))).json.agents;
}
