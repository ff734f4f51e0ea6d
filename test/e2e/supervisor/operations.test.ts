import { describe, expect, it } from "vitest";
import { eventually } from "../../support/eventually.ts";
import { freePort } from "../../support/free-port.ts";
import { fetchBytes } from "../../support/raw-agent.ts";
import { remoteConfig } from "../../support/recording-opamp-server.ts";
import { supervisorHost } from "../../support/supervisor-host.ts";

describe("the health endpoint", () => {
  it("answers 200 with and without a server, until the supervisor stops", async () => {
    const port = await freePort();
    const host = await supervisorHost({
      server: "down",
      settings: { healthcheck: { endpoint: `127.0.0.1:${port}` } },
    });
    const supervisor = await host.start();
    await supervisor.waitFor("started");
    const status = async (path: string) => (await fetchBytes(`http://127.0.0.1:${port}${path}`)).status;
    expect(await status("/health")).toBe(200);
    expect(await status("/other")).toBe(404);
    const server = await host.startServer();
    await server.reported("health", ({ healthy }) => healthy);
    expect(await status("/health")).toBe(200);
    await supervisor.kill("SIGTERM");
    await expect(status("/health")).rejects.toThrow("ECONNREFUSED");
  });
});

describe("the Collector's lines", () => {
  it("appear in the supervisor's log with their level, with passthrough_logs", async () => {
    const host = await supervisorHost({ agent: { passthrough_logs: true } });
    const supervisor = await host.startHealthy();
    await host.apply(host.remotePipeline());
    const isCollectors = (line: Record<string, unknown>) => line.component === "collector";
    const ready = await supervisor.waitFor(
      (line) => isCollectors(line) && String(line.message).startsWith("Everything is ready"),
    );
    expect(ready).toMatchObject({ level: "info", event: "collector_log" });

    // A start that fails says why at level error.
    host.server.offer(host.remotePipeline({ telemetry: { logs: { encoding: "morse" } } }));
    await supervisor.waitFor((line) => isCollectors(line) && line.level === "error");
    await supervisor.waitFor("reverted");
    const supervisors = supervisor.lines.filter((line) => !isCollectors(line));
    expect(new Set(supervisors.map(({ component }) => component))).toEqual(new Set(["opamp-agent"]));
  });

  it("do not, without it, and are in agent.log", async () => {
    const host = await supervisorHost();
    const supervisor = await host.startHealthy();
    expect(supervisor.lines.filter(({ component }) => component === "collector")).toEqual([]);
    // It is healthy a moment before it says so.
    await eventually("the Collector's own words", async () =>
      (await host.readState("agent.log")).includes("Everything is ready"),
    );
  });
});

describe("the supervisor's log", () => {
  it("is one JSON object a line, each with time, level, component, event and message", async () => {
    const host = await supervisorHost({ settings: { telemetry: { logs: { level: "debug" } } } });
    const supervisor = await host.startHealthy();
    await host.apply(host.remotePipeline());
    const bad = host.server.offer(remoteConfig({ "": { receivers: { doesntexist: {} } } }));
    await host.server.verdict(bad);
    await supervisor.kill("SIGTERM");
    expect(supervisor.lines.length).toBeGreaterThan(8);
    for (const line of supervisor.lines) {
      expect(line).toMatchObject({
        timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
        level: expect.stringMatching(/^(debug|info|warn|error)$/),
        component: "opamp-agent",
        event: expect.stringMatching(/^[a-z_]+$/),
        message: expect.any(String),
      });
    }
    const events = supervisor.lines.map(({ event }) => event);
    for (const event of [
      "connected_to_server",
      "config_received",
      "config_updated",
      "config_update_failed",
    ]) {
      expect(events).toContain(event);
    }
  });
});
