import { describe, expect, it } from "vitest";
import { fetchBytes, fetchJson } from "../../../support/raw-agent.ts";
import { startTestServer } from "../test-server.ts";

interface Operation {
  parameters?: { name: string; in: string; required?: boolean }[];
  requestBody?: { content: Record<string, unknown> };
  responses: Record<string, { content?: Record<string, { schema: unknown }> }>;
}

interface Document {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, unknown> };
}

async function document(): Promise<Document> {
  const { api } = await startTestServer();
  return (await fetchJson<Document>(api("/api/v1/openapi.json"))).json;
}

describe("GET /api/v1/openapi.json", () => {
  it("describes what each request takes and answers", async () => {
    const { openapi, paths } = await document();
    expect(openapi).toBe("3.1.0");
    const list = paths["/api/v1/agents"]!.get!;
    expect(list.parameters).toContainEqual(expect.objectContaining({ name: "selector", in: "query" }));
    expect(list.responses["200"]!.content!["application/json"]!.schema).toMatchObject({
      properties: { agents: { items: { $ref: "#/components/schemas/AgentSummary" } } },
    });
    const push = paths["/api/v1/config"]!.post!;
    expect(Object.keys(push.requestBody!.content)).toEqual([
      "application/yaml",
      "application/vnd.opamp-supervisor.config-map+json",
    ]);
    expect(Object.keys(paths)).toContain("/api/v1/agents/{instance_uid}/restart");
  });

  it("has a problem as the answer of every request that goes wrong", async () => {
    const { paths } = await document();
    const operations = Object.values(paths).flatMap((each) => Object.values(each));
    for (const { responses } of operations) {
      expect(responses.default!.content!["application/problem+json"]!.schema).toEqual({
        $ref: "#/components/schemas/Problem",
      });
    }
  });

  it("refers to schemas that are there, and has no others", async () => {
    const { paths, components } = await document();
    const text = JSON.stringify([paths, components]);
    const named = [...text.matchAll(/"#\/components\/schemas\/([^"]+)"/g)].map(([, name]) => name!);
    expect(new Set(Object.keys(components.schemas))).toEqual(new Set(named));
  });
});

describe("GET /api/v1/docs", () => {
  it("names every request, and loads nothing", async () => {
    const { api } = await startTestServer();
    const { headers, body } = await fetchBytes(api("/api/v1/docs"));
    const page = body.toString();
    expect(headers["content-type"]).toBe("text/html; charset=utf-8");
    expect(page).toContain("POST /api/v1/agents/{instance_uid}/restart");
    expect(page).not.toMatch(/src=|href="(?!\/api)|@import|url\(/);
  });

  it("explains the type of a problem where the type points to", async () => {
    const { api } = await startTestServer();
    const { json } = await fetchJson<{ type: string }>(api("/api/v1/agents?selectr=a"));
    const { pathname, hash } = new URL(json.type, api("/"));
    const page = (await fetchBytes(api(pathname))).body.toString();
    expect(page).toContain(`id="${hash.slice(1)}"`);
  });
});
