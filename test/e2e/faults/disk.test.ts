import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { eventually } from "../../support/eventually.ts";
import {
  allCollectors,
  dying,
  expectRuns,
  lastStatusOf,
  mountSmallState,
  named,
  theOneCollector,
} from "../../support/fault-host.ts";
import { supervisorHost } from "../../support/supervisor-host.ts";

const agent = { probation: "1ms" };

const disks = [
  { disk: "full", error: /ENOSPC/ },
  { disk: "read-only", error: /EROFS/ },
] as const;

describe.each(disks)("a state directory that is $disk", ({ disk, error }) => {
  const setUp = async (agentSettings: Record<string, unknown> = agent) => {
    const host = await supervisorHost({ agent: agentSettings });
    const state = mountSmallState(host);
    const supervisor = await host.startHealthy();
    await host.apply(named(host, "before"));
    await host.server.until("healthy", () => host.server.state?.health?.healthy);
    await eventually(
      "nothing is being written",
      async () => (await host.readState("journal.json")) === "null\n",
    );
    return {
      host,
      supervisor,
      spoil: () => (disk === "full" ? state.fill() : state.readOnly()),
      repair: () => (disk === "full" ? state.empty() : state.writable()),
    };
  };

  it("fails an offer with that reason and touches nothing; the same offer is applied when there is room", async () => {
    const { host, spoil, repair } = await setUp();
    const pid = host.collectorPid();
    spoil();
    const sender = host.send();
    await sender.accepted();
    const config = host.server.offer(named(host, "after"));
    const verdict = await host.server.verdict(config);
    expect(verdict.errorMessage).toMatch(error);
    await expectRuns(host, "before");
    const { accepted, refused } = await sender.stop();
    await host.sink.waitFor(accepted);
    expect(refused).toEqual([]);
    expect(host.collectorPid()).toBe(pid);
    repair();
    await host.apply(config);
    await expectRuns(host, "after");
    expect(host.server.statusesOf(config)).toEqual(["APPLYING", "FAILED", "APPLYING", "APPLIED"]);
  });

  it("does not keep a Collector that dies from being started again", async () => {
    const { host, spoil } = await setUp();
    spoil();
    const [pid = 0] = await allCollectors(host);
    process.kill(pid, "SIGKILL");
    await eventually("another one runs", async () => {
      const [next] = await allCollectors(host);
      return next !== undefined && next !== pid;
    });
    await host.expectDataFlows();
    expect(await allCollectors(host)).toHaveLength(1);
  });

  it("does not keep a bad configuration on probation from being reverted", async () => {
    const { host, supervisor, spoil } = await setUp({ probation: "30s" });
    const config = await host.apply(dying(host, 200));
    spoil();
    const sender = host.send();
    await host.server.until("FAILED", () => lastStatusOf(host, config) === "FAILED");
    await host.server.until("before runs", () => host.server.effectiveText.includes("generation: before"));
    await sender.stop();
    await host.expectDataFlows();
    expect(await allCollectors(host)).toHaveLength(1);
    expect(host.server.statusesOf(config)).toEqual(["APPLYING", "APPLIED", "FAILED"]);
    // The next supervisor knows nothing of it, and must not run a second Collector beside the first.
    await supervisor.kill("SIGKILL");
    const from = host.server.mark;
    await host.start();
    await host.server.reported("health", ({ healthy }) => healthy, from);
    await host.expectDataFlows();
    expect(await allCollectors(host)).toHaveLength(1);
  });

  it("does not keep a supervisor from adopting, nor from starting, the Collector", async () => {
    const { host, supervisor, spoil } = await setUp();
    spoil();
    const sender = host.send();
    await sender.accepted();
    const pid = host.collectorPid();
    await supervisor.kill("SIGKILL");
    const from = host.server.mark;
    const second = await host.start();
    await host.server.reported("health", ({ healthy }) => healthy, from);
    await expectRuns(host, "before");
    expect(host.collectorPid()).toBe(pid);
    const { refused } = await sender.stop();
    expect(refused).toEqual([]);
    await second.kill("SIGKILL");
    process.kill(pid, "SIGKILL");
    const third = await host.start();
    await host.expectDataFlows();
    expect(await allCollectors(host)).toHaveLength(1);
    await third.kill("SIGTERM");
    expect(await allCollectors(host)).toEqual([]);
  });

  it("does not keep a supervisor from stopping", async () => {
    const { host, supervisor, spoil } = await setUp();
    spoil();
    expect(await supervisor.kill("SIGTERM")).toEqual({ code: 0, signal: null });
    expect(await allCollectors(host)).toEqual([]);
  });
});

describe("a disk that fills up with the Collector's log", () => {
  it("stops neither the Collector nor the supervisor", async () => {
    const host = await supervisorHost({ agent });
    const state = mountSmallState(host);
    await host.startHealthy();
    await host.apply(named(host, "before", { telemetry: { logs: { level: "debug" } } }));
    state.fill();
    await host.expectDataFlows();
    await theOneCollector(host);
    state.empty();
    await host.apply(named(host, "after"));
    await expectRuns(host, "after");
    expect(readFileSync(join(host.stateDir, "effective.yaml"), "utf8")).toContain("generation: after");
  });
});
