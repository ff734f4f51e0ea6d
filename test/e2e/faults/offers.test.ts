import { setTimeout as sleep } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import {
  type AgentRemoteConfig,
  AgentRemoteConfigSchema,
  ConnectionSettingsOffersSchema,
} from "../../../src/opamp/messages.ts";
import { eventually } from "../../support/eventually.ts";
import {
  expectRuns,
  lastStatusOf,
  named,
  portTaken,
  slowSource,
  theOneCollector,
} from "../../support/fault-host.ts";
import { type SupervisorHost, supervisorHost } from "../../support/supervisor-host.ts";

const agent = { probation: "1ms" };

async function onBefore(capabilities: Record<string, boolean> = {}): Promise<SupervisorHost> {
  const host = await supervisorHost({ agent, capabilities });
  await host.startHealthy();
  await host.apply(named(host, "before"));
  await host.server.until("healthy", () => host.server.state?.health?.healthy);
  return host;
}

/** Every status but the last of each configuration is APPLYING, and the last is a verdict. */
function expectEachGotAVerdict(
  host: SupervisorHost,
  configs: readonly AgentRemoteConfig[],
  verdict = "APPLIED",
): number {
  const begun = configs.filter((config) => host.server.statusesOf(config).length > 0);
  for (const config of begun) expect(host.server.statusesOf(config)).toEqual(["APPLYING", verdict]);
  return begun.length;
}

const emptyMap = create(AgentRemoteConfigSchema, {
  config: { configMap: {} },
  configHash: new Uint8Array([9]),
});

describe("offers that come", () => {
  it("two in the same millisecond: the second one runs at the end", async () => {
    const host = await onBefore();
    const [one, two] = [named(host, "one"), named(host, "two")];
    host.server.offer(one);
    host.server.offer(two);
    await host.server.verdict(two);
    await expectRuns(host, "two");
    expect(host.server.statusesOf(two)).toEqual(["APPLYING", "APPLIED"]);
    expectEachGotAVerdict(host, [one]);
  });

  it("a hundred in a second: a few are applied, the last one wins, and what was said is true", async () => {
    const host = await onBefore();
    const sender = host.send();
    await sender.accepted();
    const configs = Array.from({ length: 100 }, (_, n) => named(host, `n${n}`));
    for (const config of configs) {
      host.server.offer(config);
      await sleep(10);
    }
    await host.server.verdict(configs[99]!);
    await expectRuns(host, "n99");
    const begun = expectEachGotAVerdict(host, configs);
    expect(begun).toBeGreaterThan(1);
    expect(begun).toBeLessThan(100);
    const { accepted } = await sender.stop();
    await host.sink.waitFor(accepted);
  });

  it("the same bad one ten times: FAILED each time, and the Collector is stopped for it once", async () => {
    const host = await onBefore();
    const bad = await portTaken(host, "bad");
    host.server.offer(bad);
    await host.server.verdict(bad);
    await expectRuns(host, "before");
    const pid = host.collectorPid();
    const sender = host.send();
    await sender.accepted();
    const from = host.server.mark;
    for (let n = 0; n < 9; n += 1) host.server.offer(bad);
    host.server.push({ flags: 1n });
    await host.server.reported("remoteConfigStatus", () => true, from);
    await eventually(
      "all were seen",
      () => host.logLines.filter(({ event }) => event === "config_received").length === 11,
    );
    expect(host.server.statusesOf(bad)).toEqual(["APPLYING", "FAILED"]);
    const { refused } = await sender.stop();
    expect(refused).toEqual([]);
    await expectRuns(host, "before");
    expect(host.collectorPid()).toBe(pid);
  });

  it("a good one while a bad one is being proven: it is applied next", async () => {
    const host = await supervisorHost({ agent: { ...agent, config_apply_timeout: "2s" } });
    await host.startHealthy();
    await host.apply(named(host, "before"));
    const source = await slowSource();
    const slow = named(host, "slow", { telemetry: { resource: { waits: source.reference } } });
    host.server.offer(slow);
    await source.asked;
    const good = host.server.offer(named(host, "good"));
    await host.server.until("APPLIED", () => lastStatusOf(host, good) === "APPLIED", 30_000);
    await expectRuns(host, "good");
    expect(host.server.statusesOf(slow)).toEqual(["APPLYING", "FAILED"]);
  });

  it("before the server goes away in the middle: the verdict is there when it is back", async () => {
    const host = await onBefore();
    const config = host.server.offer(named(host, "after"));
    await host.server.until("begun", () => lastStatusOf(host, config) === "APPLYING");
    await host.server[Symbol.asyncDispose]();
    await host.expectDataFlows();
    await host.startServer();
    await expectRuns(host, "after");
    await host.server.until("APPLIED", () => lastStatusOf(host, config) === "APPLIED");
    expect(host.server.statusesOf(config).filter((status) => status !== "APPLYING")).toEqual(["APPLIED"]);
  });

  it("to stop, and then to restart: nothing runs, nothing stale is reported, also of the next supervisor", async () => {
    const host = await onBefore();
    host.server.offer(emptyMap);
    await host.server.verdict(emptyMap);
    expect(await host.collectors()).toEqual([]);
    await host.server.until(
      "no stale configuration",
      () => !host.server.effectiveText.includes("generation: before"),
    );
    host.server.push({ command: { type: 0 } });
    const from = host.server.mark;
    host.server.push({ flags: 1n });
    await host.server.reported("health", () => true, from);
    expect(await host.collectors()).toEqual([]);
    expect(host.server.state?.health?.healthy).toBe(true);
    await host.group.stop();
    const again = host.server.mark;
    await host.start();
    await host.server.reported("health", ({ healthy }) => healthy, again);
    expect(await host.collectors()).toEqual([]);
    await host.apply(named(host, "after"));
    await expectRuns(host, "after");
  });

  it("own telemetry after a configuration was refused: it is taken, and the refused one never runs", async () => {
    const host = await onBefore({ reports_own_logs: true, reports_own_traces: true });
    const bad = await portTaken(host, "bad");
    host.server.offer(bad);
    await host.server.verdict(bad);
    const logs = { destinationEndpoint: `${host.sink.endpoint}/v1/logs` };
    const traces = { destinationEndpoint: `${host.sink.endpoint}/v1/traces` };
    const offer = (settings: object) =>
      host.server.push({
        connectionSettings: create(ConnectionSettingsOffersSchema, {
          hash: new Uint8Array([1]),
          ...settings,
        }),
      });
    offer({ ownLogs: logs });
    await host.server.until("own logs", () => host.server.effectiveText.includes("/v1/logs"));
    offer({ ownTraces: traces });
    // One signal does not take the other away.
    await host.server.until("both", () =>
      ["/v1/logs", "/v1/traces"].every((path) => host.server.effectiveText.includes(path)),
    );
    await expectRuns(host, "before");
    expect(host.server.statusesOf(bad)).toEqual(["APPLYING", "FAILED"]);
    await theOneCollector(host);
  });
});
