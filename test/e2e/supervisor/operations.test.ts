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

describe("what else it answers", () => {
  it("is readiness, the status and metrics, without a server too", async () => {
    const port = await freePort();
    const host = await supervisorHost({
      server: "down",
      settings: { healthcheck: { endpoint: `127.0.0.1:${port}` } },
      configFiles: {},
    });
    await host.saveRemote(host.remotePipeline());
    const supervisor = await host.start();
    const get = async (path: string) => {
      const { status, body } = await fetchBytes(`http://127.0.0.1:${port}${path}`);
      return { status, text: Buffer.from(body).toString() };
    };
    await supervisor.waitFor("started");
    await eventually("it is ready", async () => (await get("/ready")).status === 200);
    expect(await get("/ready")).toEqual({ status: 200, text: "ready\n" });
    const { text } = await get("/status.json");
    expect(JSON.parse(text)).toMatchObject({
      server: { connected: false },
      collector: { state: "running", healthy: true },
      storage: { unwritten: [] },
    });
    const token = (JSON.parse(await host.readState("local_link.json")) as { token: string }).token;
    for (const secret of [...host.secrets, token]) expect(text).not.toContain(secret);
    const metrics = (await get("/metrics")).text;
    expect(metrics).toContain(`opamp_agent_connection_status{server="127.0.0.1:${host.ports.opamp}"} 0`);
    expect(metrics).toMatch(/^opamp_agent_effective_config_hash\{hash="[0-9a-f]{64}"\} 1$/m);
    expect(metrics).toContain('opamp_agent_collector_restarts_total{reason="signal"} 0');

    process.kill(await host.onlyCollector(), "SIGKILL");
    await eventually("the restart is counted", async () =>
      (await get("/metrics")).text.includes('restarts_total{reason="signal"} 1'),
    );
    await eventually("it is ready again", async () => (await get("/ready")).status === 200);
    await supervisor.kill("SIGTERM");
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
