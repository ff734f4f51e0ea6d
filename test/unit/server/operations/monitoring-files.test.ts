import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { fetchBytes } from "../../../support/raw-agent.ts";
import { TestAuthority } from "../../../support/test-authority.ts";
import { startTestServer, testSettings } from "../test-server.ts";

const read = (path: string) => readFileSync(new URL(`../../../../${path}`, import.meta.url), "utf8");

interface Rule {
  alert?: string;
  record?: string;
  expr: string;
  annotations?: { runbook: string };
}

const { groups } = parse(read("packaging/prometheus/opamp-server.rules.yaml")) as {
  groups: { rules: Rule[] }[];
};
const rules = groups.flatMap((group) => group.rules);
const alerts = rules.flatMap(({ alert, annotations }) =>
  alert === undefined ? [] : [{ alert, runbook: annotations?.runbook }],
);
const page = read("docs/slo.md");

/** Names in texts that have queries in them. A histogram is known by its parts. */
function metricsIn(text: string): Set<string> {
  return new Set([...text.matchAll(/\bopamp[_:][a-z0-9_:]+/g)].map(([name]) => name));
}

describe("what watches the server", () => {
  it.each([
    ["rules", rules.map(({ expr }) => expr).join("\n")],
    ["dashboard", read("packaging/grafana/opamp-server.json")],
    ["service levels", page.slice(page.indexOf("```promql"))],
  ])("asks in its %s for nothing that the server does not tell", async (_name, text) => {
    const { cert, key } = await (await TestAuthority.create("test")).issue({ name: "server" });
    const tls = {
      certificate: { pem: cert },
      key: { pem: key },
      clientCa: undefined,
      minVersion: "1.2",
    } as const;
    const { api } = await startTestServer({ opamp: { ...testSettings.opamp, tls } });
    const { body } = await fetchBytes(api("/metrics"));
    const told = [...body.toString().matchAll(/^# TYPE (\S+) (\S+)/gm)].flatMap(([, name, type]) =>
      type === "histogram" ? ["_bucket", "_count", "_sum"].map((part) => `${name}${part}`) : [name],
    );
    const known = new Set([...told, ...rules.map(({ record }) => record)]);
    const asked = metricsIn(text);
    expect(asked.size).toBeGreaterThan(4);
    expect([...asked].filter((name) => !known.has(name))).toEqual([]);
  });

  it.each(alerts)("has an entry in the runbook for $alert, where the alert says", ({ alert, runbook }) => {
    const entries = read("docs/server-runbook.md").split(/^## /m);
    const entry = entries.find((text) => text.startsWith(`${alert}\n`)) ?? "";
    for (const part of ["**Means**", "**Look**", "**Do**"]) expect(entry).toContain(part);
    expect(runbook).toBe(`docs/server-runbook.md#${alert.toLowerCase()}`);
  });
});
