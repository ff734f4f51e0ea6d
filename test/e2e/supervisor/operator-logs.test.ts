import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { operate, runCommand } from "../../support/run-command.ts";
import { launcher, supervisorHost } from "../../support/supervisor-host.ts";

describe("logs", () => {
  it("prints the last lines of the Collector, and where the supervisor's are, also when it is down", async () => {
    const host = await supervisorHost();
    const supervisor = await host.startHealthy();
    await host.apply(host.remotePipeline());
    const two = await operate(host, "logs", "--lines", "2");
    expect(two.code).toBe(0);
    expect(two.stdout.trimEnd().split("\n")).toHaveLength(2);
    expect(two.stderr).toMatch(/^the supervisor logs to stdout: /);
    expect(two.stderr).toContain("journalctl -u ");

    await supervisor.kill("SIGTERM");
    const all = await operate(host, "logs", "--collector", "--lines", "1000", "--json");
    expect(all).toMatchObject({ code: 0, stderr: "" });
    const lines = all.stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, string>);
    expect(lines.every(({ from }) => from === "collector")).toBe(true);
    expect(lines.some(({ line }) => line?.includes("Everything is ready"))).toBe(true);
    expect(await operate(host, "logs", "--supervisor")).toMatchObject({ code: 1, stdout: "" });
  });

  it("follows both logs until it is told to end", async () => {
    const host = await supervisorHost();
    const path = join(host.dir, "supervisor.log");
    await host.writeSettings({}, {}, { telemetry: { logs: { output_paths: [path] } } });
    await host.startHealthy();
    const logs = await host.group.launch(launcher, ["logs", "-f", "--config", host.settingsPath]);
    await logs.waitFor(({ text }) => /^supervisor \| .*"event":"started"/.test(String(text)));
    // Logged from here on.
    const from = logs.lines.length;
    await host.apply(host.remotePipeline());
    await logs.waitFor(({ text }) => /^collector {2}\| .*Everything is ready/.test(String(text)), { from });
    await logs.waitFor(({ text }) => /^supervisor \| .*"event":"config_updated"/.test(String(text)), {
      from,
    });
    expect(await logs.kill("SIGINT")).toEqual({ code: 0, signal: null });
    expect(readFileSync(path, "utf8")).toContain("config_updated");
  });

  it("says what it cannot read, and what it does not understand", async () => {
    const host = await supervisorHost();
    const none = await operate(host, "logs", "--collector");
    expect(none.code).toBe(1);
    expect(none.stderr).toContain("agent.log: nothing was logged there yet");
    expect(await operate(host, "logs", "--lines", "many")).toMatchObject({ code: 2 });
    expect((await runCommand("logs", "--help")).stdout).toContain("Exit codes");
  });
});
