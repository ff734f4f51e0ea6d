import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { hashOf, remoteConfig } from "../../support/recording-opamp-server.ts";
import { operate, runCommand } from "../../support/run-command.ts";
import { type SupervisorHost, supervisorHost } from "../../support/supervisor-host.ts";

const planted = "planted-api-key-0815";

interface ExplainedJson {
  up_to_date: boolean;
  keys: {
    key: string;
    value?: unknown;
    origins: object[];
    overridden: { origin: object; value: unknown }[];
  }[];
}

async function explain(host: SupervisorHost, ...args: string[]) {
  const outcome = await operate(host, "explain", ...args);
  expect(outcome).toMatchObject({ code: 0, stderr: "" });
  expect(outcome.stdout).not.toContain(planted);
  for (const secret of host.secrets) expect(outcome.stdout).not.toContain(secret);
  return outcome.stdout;
}

describe("explain", () => {
  it("says where a key comes from and what it overrides, and so does it when the supervisor is down", async () => {
    const host = await supervisorHost({ configFiles: { "local.yaml": "" } });
    host.writeConfigFile("local.yaml", {
      exporters: { otlphttp: { endpoint: "http://127.0.0.1:1", headers: { "x-api-key": planted } } },
    });
    const supervisor = await host.startHealthy();
    const site = { exporters: { otlphttp: { timeout: "$\u007benv:OTLP_TIMEOUT:-3s}" } } };
    await host.apply(remoteConfig({ base: host.pipeline(), site }));
    const local = { t: "file", path: join(host.dir, "local.yaml") };

    const text = await explain(host, "exporters.otlphttp.endpoint");
    expect(text).toContain(`exporters.otlphttp.endpoint = ${JSON.stringify(host.sink.exporter.endpoint)}`);
    expect(text).toContain('from       the remote configuration, entry "base"');
    expect(text).toContain(`overrides  "http://127.0.0.1:1" of local file ${local.path}`);
    expect(await explain(host, "exporters.otlphttp.timeout")).toMatch(
      /entry "site"\n {2}uses +.*OTLP_TIMEOUT/,
    );

    const headers = JSON.parse(await explain(host, "exporters.otlphttp.headers", "--json")) as ExplainedJson;
    expect(headers).toMatchObject({
      up_to_date: true,
      keys: [{ key: "exporters.otlphttp.headers.x-api-key", value: "[REDACTED]", origins: [local] }],
    });

    const all = await explain(host);
    expect(all).toMatch(/^extensions\.opamp +this supervisor \(its opamp extension\)$/m);
    expect(all).toMatch(/^service\.telemetry +.*this supervisor \(defaults of own telemetry\)/m);
    expect(all).not.toContain("Since this configuration was made");
    await supervisor.kill("SIGTERM");
    expect(await explain(host)).toBe(all);

    const none = await operate(host, "explain", "exporters.nosuch");
    expect(none).toMatchObject({ code: 1, stdout: "" });
    expect(none.stderr).toContain("there is no exporters.nosuch in the effective configuration");
  });

  it("names what stands in: the bootstrap configuration, and the startup fallback", async () => {
    const host = await supervisorHost();
    const supervisor = await host.startHealthy();
    expect(await explain(host, "service.telemetry.metrics.level")).toContain("empty bootstrap configuration");
    await supervisor.kill("SIGTERM");

    const other = await supervisorHost({ server: "down" });
    other.writeConfigFile("fallback.yaml", other.pipeline());
    const path = join(other.dir, "fallback.yaml");
    await other.writeSettings({ startup_fallback_configs: [path] });
    await (await other.start()).waitFor("fallback");
    expect(await explain(other, "receivers.otlp")).toContain(`startup fallback ${path}`);
  });

  it("says so when the sources are not what they were", async () => {
    const host = await supervisorHost();
    const supervisor = await host.startHealthy();
    await host.apply(host.remotePipeline());
    await supervisor.kill("SIGTERM");
    await host.writeSettings({ description: { non_identifying_attributes: { "host.name": "another" } } });
    expect(await explain(host)).toContain("Since this configuration was made");
    expect(await explain(host, "service.telemetry.resource.host.name")).toContain(
      "says something else by now",
    );
    expect(await explain(host, "receivers.otlp")).toMatch(/from +the remote configuration\n/);
  });
});

describe("explain --offer", () => {
  it("says why an offer was refused, in the Collector's words, and what runs instead", async () => {
    const host = await supervisorHost();
    const supervisor = await host.startHealthy();
    expect(await operate(host, "explain", "--offer")).toMatchObject({ code: 1, stdout: "" });
    const good = await host.apply(host.remotePipeline());
    expect(await explain(host, "--offer")).toMatch(/^Status +APPLIED\nRuns now +this one$/m);

    const bad = host.server.offer(remoteConfig({ "": { exporters: { doesntexist: {} } } }));
    await host.server.verdict(bad);
    const expected = async () => {
      const text = await explain(host, "--offer");
      expect(text).toMatch(
        /^Offer +configuration [0-9a-f]{12}\nStatus +FAILED\nWhy +the Collector refuses it/,
      );
      expect(text).toContain("doesntexist");
      expect(text).toContain(`opamp-supervisor quarantine clear ${hashOf(bad).slice(0, 12)}`);
      expect(text).toContain(`Runs now    desired, ${hashOf(good).slice(0, 12)} of the server`);
    };
    await expected();
    await supervisor.kill("SIGTERM");
    await expected();

    const json = JSON.parse(await explain(host, "--offer", hashOf(bad).slice(0, 6), "--json")) as object;
    expect(json).toMatchObject({
      what: "configuration",
      hash: hashOf(bad),
      status: "FAILED",
      quarantined: true,
      runs: { role: "desired", hash: hashOf(good) },
    });
    expect(await explain(host, "--offer", hashOf(good))).toContain("Status    RUNS");
    const unknown = await operate(host, "explain", "--offer", "0000000");
    expect(unknown.stderr).toContain(`nothing is known of 0000000; known: ${hashOf(bad).slice(0, 12)}`);
  });

  it("has a usage", async () => {
    expect((await runCommand("explain", "--help")).stdout).toContain("Exit codes");
    expect(await runCommand("explain", "a", "b", "--config", "x")).toMatchObject({ code: 2 });
  });
});
