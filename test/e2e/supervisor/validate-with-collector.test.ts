import { readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { operate, runCommand } from "../../support/run-command.ts";
import { supervisorHost } from "../../support/supervisor-host.ts";

const planted = "planted-collector-secret";

describe("validate --with-collector", () => {
  it("has the Collector check what a start would merge now, and changes nothing", async () => {
    const host = await supervisorHost({ configFiles: { "local.yaml": "" } });
    host.writeConfigFile("local.yaml", { exporters: { debug: {} } });
    const first = await operate(host, "validate", "--with-collector");
    expect(first).toMatchObject({ code: 0, stderr: "" });
    expect(first.stdout).toMatch(
      /valid\nthe merged configuration is valid for .*no remote configuration was kept/,
    );
    expect(readdirSync(host.stateDir)).toEqual([]);

    const supervisor = await host.startHealthy();
    await host.apply(host.remotePipeline());
    const pid = await host.onlyCollector();
    expect((await operate(host, "validate", "--with-collector")).stdout).toContain("that was kept last");
    await supervisor.kill("SIGTERM");
    expect(pid).toBeGreaterThan(0);

    // Fits the remote configuration no more, and says why without the secret.
    const headers = { "x-key": planted };
    host.writeConfigFile("local.yaml", { exporters: { otlphttp: { headers, [planted]: true } } });
    const refused = await operate(host, "validate", "--with-collector");
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("the Collector refuses the merged configuration: exit code 1");
    expect(refused.stderr).not.toContain(planted);
  });

  it("says what is left out, and what is no Collector", async () => {
    const host = await supervisorHost({ configFiles: { "local.yaml": "a: [" } });
    const left = await operate(host, "validate", "--with-collector");
    expect(left.code).toBe(1);
    expect(left.stderr).toMatch(/local file .*local\.yaml is left out: .*not valid YAML/);
    await host.writeSettings({ executable: "/bin/true" });
    const none = await operate(host, "validate", "--with-collector");
    expect(none.code).toBe(1);
    expect(none.stderr).toContain("/bin/true runs but is not an OpenTelemetry Collector");
    expect((await runCommand("validate", "--with-collector", "--help")).stdout).toContain("Exit codes");
  });
});
