import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { beforeAll, describe, expect, it } from "vitest";
import { buildGo } from "./build-go.ts";

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");
const rules = read("packaging/prometheus/opamp-server.rules.yaml");

let prometheus: string;

beforeAll(async () => {
  const module = "opamp-supervisor/test/prometheus";
  prometheus = (await buildGo(join(import.meta.dirname, "go-prometheus"), [module])).get("prometheus")!;
}, 600_000);

/** Has Prometheus' own reader look at `input`; resolves to what it found, one a line. */
async function check(input: string, ...args: string[]): Promise<string[]> {
  const child = spawn(prometheus, args, { stdio: ["pipe", "pipe", "pipe"] });
  child.stdin.end(input);
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  if (stderr !== "") throw new Error(stderr);
  return stdout.trim().split("\n");
}

interface Dashboard {
  panels: { targets: { expr: string }[] }[];
}

describe("Prometheus itself", () => {
  it("takes the rules", async () => {
    expect(await check(rules)).toContain("OpampServerDown");
  });

  it.each([
    ["a query", "== 0", "=== 0", "parse error"],
    ["a field", "annotations:", "anotations:", "field anotations not found"],
    ["a template", "humanizePercentage", "humanisePercentage", 'function "humanisePercentage" not defined'],
  ])(
    "refuses them with %s that is wrong, so that the test above means something",
    async (_what, from, to, fault) => {
      await expect(check(rules.replace(from, to))).rejects.toThrow(fault);
    },
  );

  it("understands every query of the dashboard and of the page of service levels", async () => {
    const { panels } = JSON.parse(read("packaging/grafana/opamp-server.json")) as Dashboard;
    const dashboard = panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));
    // As Grafana fills them in.
    const filled = dashboard.map((expr) =>
      expr.replace(/\$__(rate_interval|range)/g, "5m").replaceAll("$job", ".*"),
    );
    const page = [...read("docs/slo.md").matchAll(/^```promql\n(.*)\n```$/gm)].map(([, query]) => query!);
    expect(Math.min(filled.length, page.length)).toBeGreaterThan(5);
    const types = await check([...filled, ...page].join("\n"), "query");
    expect(new Set(types)).toEqual(new Set(["vector"]));
    expect(types).toHaveLength(filled.length + page.length);
  });
});
