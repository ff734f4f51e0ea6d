import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { collectorBinary } from "../../support/collector.ts";
import { eventually } from "../../support/eventually.ts";
import {
  allCollectors,
  clearFault,
  expectRuns,
  lastStatusOf,
  named,
  portTaken,
  startBefore,
  startFaulty,
  theOneCollector,
} from "../../support/fault-host.ts";
import type { LaunchedProcess } from "../../support/launched-process.ts";
import { type SupervisorHost, supervisorHost } from "../../support/supervisor-host.ts";

const agent = { probation: "1ms" };

async function onBefore(
  settings: Record<string, unknown> = agent,
): Promise<[SupervisorHost, LaunchedProcess]> {
  const host = await supervisorHost({ agent: settings });
  const supervisor = await host.startHealthy();
  await host.apply(named(host, "before"));
  await host.server.until("healthy", () => host.server.state?.health?.healthy);
  return [host, supervisor];
}

describe("a supervisor that died and comes back", () => {
  it.each([0, 3_000])(
    "after %i ms adopts the Collector: same pid, no record refused or lost",
    async (awayMs) => {
      const [host, supervisor] = await onBefore();
      const pid = host.collectorPid();
      const sender = host.send();
      await sender.accepted();
      await supervisor.kill("SIGKILL");
      await sleep(awayMs);
      const from = host.server.mark;
      await host.start();
      await host.server.reported("health", ({ healthy }) => healthy, from);
      await expectRuns(host, "before");
      const { accepted, refused } = await sender.stop();
      await host.sink.waitFor(accepted);
      expect(refused).toEqual([]);
      expect(host.collectorPid()).toBe(pid);
      // It is not a child of this supervisor, and yet its death is seen.
      process.kill(pid, "SIGKILL");
      await eventually("another one runs", () => host.collectorPid() !== pid);
      await expectRuns(host, "before");
    },
  );

  it("takes configurations for the Collector that it adopted, without restarting it", async () => {
    const [host, supervisor] = await onBefore();
    const pid = host.collectorPid();
    await supervisor.kill("SIGKILL");
    await host.start();
    await host.apply(named(host, "after"));
    await expectRuns(host, "after");
    expect(host.collectorPid()).toBe(pid);
  });

  it("under systemd, which gives every start another environment, adopts as well", async () => {
    const host = await supervisorHost({ agent });
    const start = (n: number) =>
      host.start({
        INVOCATION_ID: `${n}`,
        JOURNAL_STREAM: `8:${n}`,
        SYSTEMD_EXEC_PID: `${n}`,
        MEMORY_PRESSURE_WATCH: "/x",
      });
    const supervisor = await start(1);
    await host.apply(named(host, "before"));
    const pid = host.collectorPid();
    await supervisor.kill("SIGKILL");
    const from = host.server.mark;
    await start(2);
    await host.server.reported("health", ({ healthy }) => healthy, from);
    await expectRuns(host, "before");
    expect(host.collectorPid()).toBe(pid);
  });

  it.each([
    ["arguments", { args: ["--set=service.telemetry.logs.level=warn"] }],
    ["environment", { env: { SOMETHING: "else" } }],
  ])("with other %s replaces the Collector, and never runs two", async (_what, change) => {
    const [host, supervisor] = await onBefore();
    const pid = host.collectorPid();
    await supervisor.kill("SIGKILL");
    await host.writeSettings({ ...agent, ...change });
    const from = host.server.mark;
    await host.start();
    await host.server.reported("health", ({ healthy }) => healthy, from);
    await expectRuns(host, "before");
    expect(host.collectorPid()).not.toBe(pid);
  });

  it("finds a Collector that no record names, and never runs two", async () => {
    const [host, supervisor] = await onBefore();
    await supervisor.kill("SIGKILL");
    rmSync(join(host.stateDir, "collector.json"));
    const from = host.server.mark;
    const next = await host.start();
    await host.server.reported("health", ({ healthy }) => healthy, from);
    await expectRuns(host, "before");
    expect(next.lines).toContainEqual(
      expect.objectContaining({ event: "collector_replaced", reason: "unknown" }),
    );
  });

  it.each([
    ["an absolute path and no record", "absolute", undefined],
    ["an absolute path and an empty record", "absolute", "null\n"],
    ["a relative path and no record", "relative", undefined],
  ])("ends a Collector that the reference left, with %s, and never runs two", async (_what, path, record) => {
    const host = await supervisorHost({ agent });
    const saved = named(host, "saved");
    await host.saveRemote(saved);
    if (record !== undefined) writeFileSync(join(host.stateDir, "collector.json"), record);
    const effective = join(host.stateDir, "effective.yaml");
    writeFileSync(effective, JSON.stringify(host.pipeline()));
    // It leads no process group of its own, as ours do.
    const args = ["--config", path === "absolute" ? effective : "state/effective.yaml"];
    const orphan = await host.group.launch(collectorBinary(), args, { cwd: host.dir });
    await host.expectDataFlows();
    const supervisor = await host.start();
    await host.server.verdict(saved);
    await eventually("the other one has ended", () => !orphan.running);
    await expectRuns(host, "saved");
    expect(host.server.statusesOf(saved)).toEqual(["APPLYING", "APPLIED"]);
    expect(supervisor.lines.filter(({ event }) => event === "collector_exited")).toEqual([]);
  });

  it("while its server is away, and then tells it the truth", async () => {
    const [host, supervisor] = await onBefore();
    const config = named(host, "before");
    await host.server[Symbol.asyncDispose]();
    await supervisor.kill("SIGKILL");
    await host.start();
    await host.expectDataFlows();
    await host.startServer();
    await expectRuns(host, "before");
    expect(host.server.statusesOf(config)).toEqual(["APPLIED"]);
  });

  it("believes no time of a crash that is yet to come", async () => {
    const [host, supervisor] = await onBefore();
    process.kill(host.collectorPid(), "SIGKILL");
    await eventually(
      "the crash is on file",
      () => readFileSync(join(host.stateDir, "crashes.json")).length > 0,
    );
    await expectRuns(host, "before");
    await supervisor.kill("SIGKILL");
    const future = Date.now() + 365 * 86_400_000;
    writeFileSync(
      join(host.stateDir, "crashes.json"),
      JSON.stringify({ exits: Array(9).fill(future), attempt: 0 }),
    );
    const next = await host.start();
    await expectRuns(host, "before");
    const pid = await theOneCollector(host);
    process.kill(pid, "SIGKILL");
    await eventually("another one runs", () => host.collectorPid() !== pid);
    await expectRuns(host, "before");
    expect(next.lines.filter(({ event }) => event === "config_update_failed")).toEqual([]);
  });
});

describe("two supervisors", () => {
  it("on one storage directory: the second says so and exits, and harms nothing", async () => {
    const [host] = await onBefore();
    const pid = host.collectorPid();
    const second = await host.start();
    expect(await second.exited).toEqual({ code: 1, signal: null });
    expect(second.tail()).toMatch(/another supervisor \(pid \d+\) uses/);
    await expectRuns(host, "before");
    expect(host.collectorPid()).toBe(pid);
  });
});

describe("agent.on_supervisor_exit", () => {
  it("keep: writes no ppid, which a later Collector would obey", async () => {
    const [host] = await onBefore();
    expect(readFileSync(join(host.stateDir, "effective.yaml"), "utf8")).not.toMatch(/ppid/);
  });

  it("stop: writes it, and the next supervisor writes its own", async () => {
    const [host, supervisor] = await onBefore({ ...agent, on_supervisor_exit: "stop" });
    const effective = () => readFileSync(join(host.stateDir, "effective.yaml"), "utf8");
    expect(effective()).toMatch(new RegExp(`ppid: ${supervisor.pid}\\b`));
    await supervisor.kill("SIGKILL");
    const next = await host.start();
    await eventually("it is the next one's", () => effective().includes(`ppid: ${next.pid}`));
    await expectRuns(host, "before");
  });

  it("stop: a supervisor that is killed takes the Collector with it", async () => {
    const [host, supervisor] = await onBefore({ ...agent, on_supervisor_exit: "stop" });
    await theOneCollector(host);
    await supervisor.kill("SIGKILL");
    await eventually("no Collector is left", async () => (await allCollectors(host)).length === 0);
    await host.start();
    await expectRuns(host, "before");
  });
});

describe("a supervisor told to stop in the middle of a change", () => {
  const signals = ["SIGTERM", "SIGUSR2"] as const;
  const steps = ["staging", "checking", "switching", "proving", "keeping"] as const;
  const points = signals.flatMap((signal) => steps.map((step) => ({ signal, step })));

  it.each(points)("by $signal, $step: ends, and the next one finishes", async ({ signal, step }) => {
    const host = await supervisorHost({ agent });
    const supervisor = await startBefore(host, { step, signal });
    const config = named(host, "after");
    host.server.offer(config);
    expect(await supervisor.exited).toEqual({ code: 0, signal: null });
    await host.server.until(
      "it said good-bye",
      () => host.server.received.at(-1)?.message.agentDisconnect !== undefined,
    );
    expect(await allCollectors(host)).toHaveLength(signal === "SIGTERM" ? 0 : 1);
    const from = host.server.mark;
    clearFault(host);
    await startFaulty(host);
    await host.server.reported("health", ({ healthy }) => healthy, from);
    // A change that had not got anywhere is the server's to offer again.
    host.server.offer(config);
    await host.server.until("APPLIED", () => lastStatusOf(host, config) === "APPLIED");
    await expectRuns(host, "after");
    expect(host.server.statusesOf(config)).not.toContain("FAILED");
  });

  it.each(signals)("by %s while it goes back: the next one does", async (signal) => {
    const host = await supervisorHost({ agent });
    const supervisor = await startBefore(host, { step: "reverting", signal });
    const config = await portTaken(host, "after");
    host.server.offer(config);
    expect(await supervisor.exited).toEqual({ code: 0, signal: null });
    const from = host.server.mark;
    clearFault(host);
    await startFaulty(host);
    await host.server.reported("health", ({ healthy }) => healthy, from);
    await expectRuns(host, "before");
    await host.server.until("FAILED", () => lastStatusOf(host, config) === "FAILED");
    expect(host.server.statusesOf(config)).toEqual(["APPLYING", "FAILED"]);
  });
});
