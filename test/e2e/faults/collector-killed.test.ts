import { describe, expect, it } from "vitest";
import { eventually } from "../../support/eventually.ts";
import {
  dying,
  expectRuns,
  isOnProbation,
  lastStatusOf,
  named,
  standIn,
  theOneCollector,
} from "../../support/fault-host.ts";
import { type SupervisorHost, supervisorHost } from "../../support/supervisor-host.ts";

/** Kills the Collector and resolves to the pid of the next one that takes data. */
async function killCollector(host: SupervisorHost, signal: NodeJS.Signals = "SIGKILL"): Promise<number> {
  const pid = host.collectorPid();
  process.kill(pid, signal);
  const next = await eventually("another Collector runs", async () => {
    const [only, ...others] = await host.collectors();
    return others.length === 0 && only !== pid && only === host.collectorPid() ? only : undefined;
  });
  await host.expectDataFlows();
  return next;
}

async function onBefore(agent: Record<string, unknown>): Promise<SupervisorHost> {
  const host = await supervisorHost({ agent });
  await host.startHealthy();
  await host.apply(named(host, "before"));
  return host;
}

async function pastProbation(host: SupervisorHost): Promise<void> {
  await eventually("the probation is over", async () => !(await isOnProbation(host)));
}

describe("a Collector killed from outside", () => {
  it("at random moments is restarted each time, and the configuration is not blamed", async () => {
    const host = await onBefore({ probation: "1ms", crash_loop: { max_exits: 20 } });
    await pastProbation(host);
    const config = named(host, "before");
    const from = host.server.mark;
    const sender = host.send();
    for (let n = 0; n < 3; n += 1) {
      await sender.accepted();
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 60));
      await killCollector(host);
    }
    await expectRuns(host, "before");
    expect(host.server.statusesOf(config, from)).toEqual([]);
    const { accepted, refused, results } = await sender.stop();
    expect(refused.length).toBeLessThan(results.length);
    // What the dead Collector had taken and not sent is gone with it; nothing that the last one took.
    await host.sink.waitFor(accepted.slice(-1));
  });

  it("while it starts on a new configuration proves nothing against that", async () => {
    const host = await onBefore({ probation: "1ms", use_hup_config_reload: false });
    const config = named(host, "after");
    const pid = host.collectorPid();
    host.server.offer(config);
    const next = await eventually("the new one runs", () => {
      const now = host.collectorPid();
      return now === pid ? undefined : now;
    });
    process.kill(next, "SIGKILL");
    await host.server.verdict(config);
    await expectRuns(host, "after");
    expect(host.server.statusesOf(config)).toEqual(["APPLYING", "APPLIED"]);
  });

  it("on probation is restarted the first time, and reverted the second", async () => {
    const host = await onBefore({ probation: "30s" });
    const config = await host.apply(named(host, "after"));
    await killCollector(host);
    await expectRuns(host, "after");
    expect(host.server.statusesOf(config)).toEqual(["APPLYING", "APPLIED"]);
    process.kill(host.collectorPid(), "SIGKILL");
    await host.server.until("FAILED", () => lastStatusOf(host, config) === "FAILED");
    await expectRuns(host, "before");
    expect(host.server.statusesOf(config)).toEqual(["APPLYING", "APPLIED", "FAILED"]);
    expect(host.server.state?.remoteConfigStatus?.errorMessage).toMatch(
      /^the Collector ended on probation \(killed by SIGKILL\)/,
    );
    expect(host.server.state?.health?.status).toContain("last-known-good");
  });

  it("with every process of its group, behind a wrapper script, leaves none behind", async () => {
    const host = await supervisorHost();
    await host.writeSettings({ executable: standIn(host, '"$COLLECTOR" "$@" & wait'), probation: "1ms" });
    await host.startHealthy();
    await host.apply(named(host, "before"));
    await pastProbation(host);
    const wrapper = host.collectorPid();
    process.kill(wrapper, "SIGKILL");
    await eventually("another one runs", () => host.collectorPid() !== wrapper);
    await host.expectDataFlows();
    // The wrapper and the Collector in it.
    expect(await host.collectors()).toHaveLength(2);
  });
});

describe("a Collector that ends by itself", () => {
  it("on probation is reverted at once, with its last words", async () => {
    const host = await onBefore({ probation: "30s" });
    const config = dying(host, 300);
    const sender = host.send();
    host.server.offer(config);
    await host.server.until("FAILED", () => lastStatusOf(host, config) === "FAILED");
    await expectRuns(host, "before");
    expect(host.server.statusesOf(config)).toEqual(["APPLYING", "APPLIED", "FAILED"]);
    expect(host.server.state?.remoteConfigStatus?.errorMessage).toMatch(
      /exit code 2[\s\S]*slice bounds out of range/,
    );
    await sender.accepted();
    const { refused, results } = await sender.stop();
    expect(refused.length).toBeLessThan(results.length);
  });

  it("in a crash loop long after is FAILED and reverted", async () => {
    const host = await onBefore({ probation: "1ms" });
    await pastProbation(host);
    const config = await host.apply(dying(host, 50));
    await pastProbation(host);
    const sender = host.send();
    await host.server.until("FAILED", () => lastStatusOf(host, config) === "FAILED", 30_000);
    await expectRuns(host, "before");
    expect(host.server.statusesOf(config)).toEqual(["APPLYING", "APPLIED", "FAILED"]);
    expect(host.server.state?.remoteConfigStatus?.errorMessage).toMatch(
      /^crash loop: the Collector ended 5 times/,
    );
    expect(host.server.state?.health?.status).toContain("last-known-good");
    await sender.accepted();
    await sender.stop();
  });

  it("in a crash loop with nothing to go back to is held, says so, and its status is true", async () => {
    const host = await supervisorHost();
    await host.writeSettings({ probation: "1ms", crash_loop: { max_exits: 1 } });
    const supervisor = await host.startHealthy();
    const config = await host.apply(dying(host, 50));
    await pastProbation(host);
    const sender = host.send();
    await supervisor.waitFor("held");
    await host.server.until("FAILED", () => lastStatusOf(host, config) === "FAILED");
    const health = await host.server.reported("health", ({ status }) => status === "held");
    expect(health.healthy).toBe(false);
    await sender.stop();
    // The server has another idea: that ends the hold at once.
    await host.apply(named(host, "after"));
    await expectRuns(host, "after");
    await theOneCollector(host);
  });
});
