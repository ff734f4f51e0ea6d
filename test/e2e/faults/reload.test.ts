import { describe, expect, it } from "vitest";
import { expectRuns, named } from "../../support/fault-host.ts";
import { freePort } from "../../support/free-port.ts";
import { supervisorHost } from "../../support/supervisor-host.ts";

describe("a Collector that ends in a reload, because what it ran cannot be shut down,", () => {
  it("is started anew: the next configuration is APPLIED, and so is the one after", async () => {
    const host = await supervisorHost({ agent: { probation: "1ms" } });
    const supervisor = await host.startHealthy();
    const otlp = { protocol: "http/protobuf", endpoint: `http://127.0.0.1:${await freePort()}/v1/logs` };
    const logs = { processors: [{ batch: { exporter: { otlp } } }] };
    const before = { telemetry: { resource: { generation: "before" }, logs } };
    await host.apply(named(host, "before", before));
    const pid = host.collectorPid();

    const config = host.server.offer(named(host, "after"));
    await host.server.verdict(config, 0, 30_000);
    expect(host.server.statusesOf(config)).toEqual(["APPLYING", "APPLIED"]);
    await expectRuns(host, "after");
    // The fault did happen, in this Collector of all.
    expect(host.collectorPid()).not.toBe(pid);
    expect(await host.readState("agent.log")).toContain("failed to shutdown the retiring config");
    expect(JSON.parse(await host.readState("configuration_book.json"))).toMatchObject({ quarantined: [] });
    expect(supervisor.lines.filter(({ event }) => event === "config_update_failed")).toEqual([]);

    await host.apply(named(host, "later"));
    await expectRuns(host, "later");
  });
});
