import { describe, expect, it } from "vitest";
import { type AgentToServer, RemoteConfigStatuses } from "../../../src/opamp/messages.ts";
import { eventually } from "../../support/eventually.ts";
import { type SupervisorHost, supervisorHost } from "../../support/supervisor-host.ts";

const saysGoodbye = ({ agentDisconnect }: AgentToServer) => agentDisconnect !== undefined;

describe.each(["ws", "http"] as const)("over %s", (transport) => {
  it.each(["SIGTERM", "SIGINT"] as const)("%s stops the Collector and says good-bye last", async (signal) => {
    const host = await supervisorHost({ transport });
    const supervisor = await host.startHealthy();
    const pid = host.collectorPid();
    expect(await supervisor.kill(signal)).toEqual({ code: 0, signal: null });
    expect(await host.group.alive()).toEqual([]);
    expect(() => process.kill(pid, 0)).toThrow("ESRCH");
    const last = await host.server.message("good-bye", saysGoodbye);
    expect(host.server.received.at(-1)?.message).toBe(last);
    expect(host.server.state?.health).toMatchObject({ healthy: false, lastError: "Supervisor is shutdown" });
    await host.server.until("no connection is left", () => host.server.openConnections === 0);
    expect(supervisor.lines.find(({ event }) => event === "stopped")).toMatchObject({ level: "info" });
  });

  it("SIGUSR2 leaves the Collector to the next supervisor: same process, nothing refused", async () => {
    const host = await supervisorHost({ transport });
    if (transport === "http") pollEverySecond(host);
    const first = await host.startHealthy();
    const config = await host.apply(host.remotePipeline());
    const pid = host.collectorPid();
    const sender = host.send();
    await sender.accepted();

    expect(await first.kill("SIGUSR2")).toEqual({ code: 0, signal: null });
    await host.server.message("good-bye", saysGoodbye);
    expect(await host.collectors()).toEqual([pid]);
    await sender.accepted();

    await expectAdopted(host, pid);
    expect(host.server.statusesOf(config).at(-1)).toBe("APPLIED");
    await sender.accepted();
    const { refused, accepted } = await sender.stop();
    expect(refused).toEqual([]);
    await host.sink.waitFor(accepted);
  });
});

function pollEverySecond(host: SupervisorHost): void {
  host.server.answer = () => ({ connectionSettings: { opamp: { heartbeatIntervalSeconds: 1n } } });
}

/** Starts the next supervisor, which takes over this Collector and can manage it. */
async function expectAdopted(host: SupervisorHost, pid: number): Promise<void> {
  const from = host.server.mark;
  const next = await host.start();
  expect(await next.waitFor("collector_adopted")).toMatchObject({ pid });
  await next.waitFor("started");
  await host.server.reported("health", ({ healthy }) => healthy, from);
  // The extension's own words again, by its own dialling.
  await host.server.until(
    "the Collector reports by itself",
    () => host.server.state?.health?.status === "StatusOK",
    40_000,
  );
  expect(await host.collectors()).toEqual([pid]);
  expect(host.collectorPid()).toBe(pid);
}

describe.each([
  ["reload", {}],
  ["restart", { use_hup_config_reload: false }],
] as const)("kill -9 of the supervisor, mode %s", (mode, agent) => {
  it("leaves the Collector to the next one, which can still change it", async () => {
    const host = await supervisorHost({ agent });
    const first = await host.startHealthy();
    await host.apply(host.remotePipeline());
    const pid = host.collectorPid();
    const sender = host.send();
    await sender.accepted();
    await first.kill("SIGKILL");
    await sender.accepted();
    await expectAdopted(host, pid);
    await sender.accepted();
    const { refused, accepted } = await sender.stop();
    expect(refused).toEqual([]);
    await host.sink.waitFor(accepted);

    await host.apply(host.remotePipeline({ statements: ['set(log.attributes["next"], true)'] }));
    await host.expectDataFlows();
    expect(host.collectorPid() === pid).toBe(mode === "reload");
  });
});

describe("a Collector that died while no supervisor looked", () => {
  it("is started again with what it ran", async () => {
    const host = await supervisorHost();
    const first = await host.startHealthy();
    const config = await host.apply(host.remotePipeline());
    await first.kill("SIGUSR2");
    const pid = host.collectorPid();
    process.kill(pid, "SIGKILL");
    await eventually("the Collector is gone", async () => (await host.collectors()).length === 0);
    const from = host.server.mark;
    await host.startHealthy();
    await host.expectDataFlows();
    expect(host.collectorPid()).not.toBe(pid);
    const { status } = await host.server.verdict(config, from);
    expect(status).toBe(RemoteConfigStatuses.RemoteConfigStatuses_APPLIED);
  });
});

describe("a second supervisor on the same state", () => {
  it("exits and names the first, which is not disturbed", async () => {
    const host = await supervisorHost();
    const first = await host.startHealthy();
    const pid = host.collectorPid();
    const second = await host.start();
    expect(await second.exited).toEqual({ code: 1, signal: null });
    const { error } = second.lines.find(({ event }) => event === "start_failed")!;
    expect(error).toContain(`pid ${first.pid}`);
    expect(error).toContain(host.stateDir);
    // It goes to a terminal.
    expect(error).not.toMatch(/\p{Cc}/u);
    expect(new Set(host.server.received.map(({ connection }) => connection)).size).toBe(1);
    expect(host.collectorPid()).toBe(pid);
    expect(await host.collectors()).toEqual([pid]);
    expect(await host.readState("supervisor.pid")).toBe(`${first.pid}\n`);
    await host.apply(host.remotePipeline());
    await host.expectDataFlows();
  });
});
