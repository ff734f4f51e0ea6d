import { copyFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { KeyValue } from "../../../src/opamp/messages.ts";
import { collectorBinary, secondCollectorBinary } from "../../support/collector.ts";
import { supervisorHost } from "../../support/supervisor-host.ts";

const versionOf = (attributes: readonly KeyValue[] = []) =>
  attributes.find(({ key }) => key === "service.version")?.value?.value.value;

describe("a Collector whose file was replaced by a package update", () => {
  it("is not adopted by the next supervisor but replaced, on the same configuration, and reported", async () => {
    const host = await supervisorHost({ leftBehind: "kill" });
    const executable = join(host.dir, "otelcol");
    await copyFile(collectorBinary(), executable);
    await host.writeSettings({ executable });
    const first = await host.startHealthy();
    const config = await host.apply(host.remotePipeline());
    const before = host.collectorPid();
    expect(versionOf(host.server.state?.agentDescription?.identifyingAttributes)).toBe("0.149.0");
    await first.kill("SIGKILL");

    const fresh = `${executable}.new`;
    await copyFile(secondCollectorBinary(), fresh);
    await rename(fresh, executable);
    const from = host.server.mark;
    const second = await host.startHealthy();
    await second.waitFor("collector_replaced");
    const pid = await host.onlyCollector();
    expect(pid).not.toBe(before);
    await host.server.until("the new version", () => {
      const { identifyingAttributes } = host.server.state?.agentDescription ?? {};
      return versionOf(identifyingAttributes) === "0.149.1";
    });
    expect(host.server.statusesOf(config, from).at(-1)).toBe("APPLIED");
    await host.expectDataFlows();
  });
});
