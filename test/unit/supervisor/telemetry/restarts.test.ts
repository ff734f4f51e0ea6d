import { describe, expect, it } from "vitest";
import type { CollectorExit } from "../../../../src/supervisor/collector/process-exit.ts";
import { Restarts } from "../../../../src/supervisor/telemetry/restarts.ts";
import { CollectorRig, launchOf, settled } from "../../../support/collector-rig.ts";
import { ScriptedProcess } from "../../../support/scripted-process.ts";

/** A Collector that runs, its restarts counted. */
async function counted() {
  const rig = new CollectorRig();
  const restarts = new Restarts();
  restarts.observe(rig.collector);
  await rig.running();
  const counts = () =>
    Object.fromEntries(
      restarts.counts
        .points()
        .filter(({ value }) => value > 0)
        .map(({ value, labels }) => [labels.reason, value]),
    );
  return { rig, restarts, counts };
}

describe("restarts of the Collector", () => {
  it.each<[string, Partial<CollectorExit>]>([
    ["exit", { code: 1 }],
    ["exit", { code: 0 }],
    ["signal", { code: null, signal: "SIGSEGV" }],
    ["oom", { code: null, signal: "SIGKILL", oomKilled: true }],
  ])("are counted as %s after %j, when the next one starts", async (reason, exit) => {
    const { rig, counts } = await counted();
    rig.process.exit(exit);
    await settled();
    expect(counts()).toEqual({});
    rig.collector.relaunchAfter(launchOf("a"), 0, "why");
    await settled();
    rig.healthy("a");
    expect(counts()).toEqual({ [reason]: 1 });
  });

  it("are counted as hung where we ended it", async () => {
    const { rig, counts } = await counted();
    rig.collector.killHung("silence");
    await settled();
    rig.collector.relaunchAfter(launchOf("a"), 0, "why");
    await settled();
    expect(counts()).toEqual({ hung: 1 });
  });

  it("are counted as command or change where nothing was wrong; a reload is none", async () => {
    const { rig, restarts, counts } = await counted();
    await restarts.command(async () => void (await rig.collector.run(launchOf("a"), false)));
    rig.healthy("a");
    await rig.collector.run(launchOf("b"), false);
    rig.healthy("b");
    expect(await rig.collector.run(launchOf("c"), true)).toBe("reloaded");
    expect(counts()).toEqual({ command: 1, change: 1 });
  });

  it("begin after an adopted process", async () => {
    const rig = new CollectorRig();
    const restarts = new Restarts();
    restarts.observe(rig.collector);
    await rig.collector.adopt(new ScriptedProcess(7, { adopted: true }), launchOf("a"), true);
    expect(restarts.counts.points().every(({ value }) => value === 0)).toBe(true);
  });
});
