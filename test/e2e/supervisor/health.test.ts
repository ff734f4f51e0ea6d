import { describe, expect, it } from "vitest";
import { eventually } from "../../support/eventually.ts";
import { expectRuns, lastStatusOf, named, portTaken, slowSource } from "../../support/fault-host.ts";
import { type SupervisorHost, supervisorHost } from "../../support/supervisor-host.ts";

const agent = { probation: "1ms" };

const healthsOf = (host: SupervisorHost, from = 0) =>
  host.server.received.slice(from).flatMap(({ message }) => message.health ?? []);

async function onBefore(settings: Record<string, unknown> = agent): Promise<SupervisorHost> {
  const host = await supervisorHost({ agent: settings });
  await host.startHealthy();
  await host.apply(named(host, "before"));
  await host.server.until("healthy", () => host.server.state?.health?.status === "StatusOK");
  return host;
}

describe("the health status says what kind of configuration runs:", () => {
  it("bootstrap, from the first healthy report on, while there is none", async () => {
    const host = await supervisorHost({ agent });
    await host.startHealthy();
    await host.server.until("all is well", () => host.server.state?.health?.status === "bootstrap: StatusOK");
    const plain = healthsOf(host).filter(
      ({ healthy, status }) => healthy && !status.startsWith("bootstrap: "),
    );
    expect(plain).toEqual([]);
  });

  it("bootstrap, and no APPLIED, once none is accepted any more", async () => {
    const host = await onBefore();
    await host.kill("SIGTERM");
    await host.writeSettings({}, { accepts_remote_config: false });
    const from = host.server.mark;
    await host.start();
    await host.server.reported(
      "health",
      ({ healthy, status }) => healthy && status === "bootstrap: StatusOK",
      from,
    );
    await host.server.until(
      "the empty one is effective",
      () => !host.server.effectiveText.includes("otlphttp"),
    );
    expect(host.server.statusesOf(named(host, "before"), from)).toEqual([]);
  });

  it.each([
    ["reload", {}],
    ["restart", { use_hup_config_reload: false }],
  ])("last-known-good after one that failed, until the next good one, mode %s", async (_mode, mode) => {
    const host = await onBefore({ ...agent, ...mode });
    const bad = host.server.offer(await portTaken(host, "bad"));
    await host.server.verdict(bad);
    await host.server.until(
      "healthy on the former",
      () =>
        host.server.state?.health?.healthy && host.server.state.health.status === "last-known-good: StatusOK",
    );
    await expectRuns(host, "before");
    expect(host.server.state?.health?.status).toBe("last-known-good: StatusOK");
    await host.apply(named(host, "after"));
    await host.server.until("healthy as wanted", () => host.server.state?.health?.status === "StatusOK");
    await expectRuns(host, "after");
  });

  it("last-known-good and never bootstrap on the way back from one that hangs", async () => {
    const host = await onBefore({ ...agent, config_apply_timeout: "2s" });
    const source = await slowSource();
    const from = host.server.mark;
    const telemetry = { resource: { generation: "after", waits: source.reference } };
    const config = host.server.offer(named(host, "after", { telemetry }));
    await host.server.until("FAILED", () => lastStatusOf(host, config) === "FAILED");
    await expectRuns(host, "before");
    await host.server.until(
      "it says what runs",
      () => host.server.state?.health?.status === "last-known-good: StatusOK",
    );
    expect(healthsOf(host, from).filter(({ status }) => status.includes("bootstrap"))).toEqual([]);
  });
});

describe("the health while nothing runs", () => {
  it("after a deliberate stop does not quote the end of an older Collector", async () => {
    const host = await onBefore({ ...agent, use_hup_config_reload: false });
    const pid = host.collectorPid();
    process.kill(pid, "SIGKILL");
    await eventually("another one runs", () => host.collectorPid() !== pid);
    await expectRuns(host, "before");
    const from = host.server.mark;
    await host.apply(named(host, "after"));
    await expectRuns(host, "after");
    const told = healthsOf(host, from).filter(({ lastError }) => lastError.includes("SIGKILL"));
    expect(told).toEqual([]);
  });
});
