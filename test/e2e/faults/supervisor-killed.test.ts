import { describe, expect, it } from "vitest";
import type { AgentRemoteConfig } from "../../../src/opamp/messages.ts";
import type { Step } from "../../../src/supervisor/change/change.ts";
import {
  clearFault,
  expectRuns,
  killCollectors,
  named,
  portTaken,
  startBefore,
  startFaulty,
} from "../../support/fault-host.ts";
import { remoteConfig } from "../../support/recording-opamp-server.ts";
import { type SupervisorHost, supervisorHost } from "../../support/supervisor-host.ts";

const agent = { probation: "300ms" };

/** A machine that loses its power takes the Collector with it. */
const deaths = [
  { death: "killed", withCollector: false },
  { death: "cut off from power", withCollector: true },
];

describe.each(deaths)("a supervisor $death as soon as its journal said", ({ withCollector }) => {
  const endsAt = async (
    step: Step,
    make: (host: SupervisorHost) => AgentRemoteConfig | Promise<AgentRemoteConfig>,
  ) => {
    const host = await supervisorHost({ agent });
    const supervisor = await startBefore(host, { step, signal: "SIGKILL" });
    const pid = host.collectorPid();
    const sender = host.send();
    await sender.accepted();
    const config = host.server.offer(await make(host));
    await supervisor.exited;
    if (withCollector) await killCollectors(host);
    clearFault(host);
    await startFaulty(host);
    return { host, config, sender, pid };
  };

  it.each<Step>(["checking", "switching", "proving", "keeping"])(
    "%s: a good change is finished",
    async (step) => {
      const { host, config, sender } = await endsAt(step, (host) => named(host, "after"));
      await host.server.verdict(config);
      await expectRuns(host, "after");
      expect(host.server.statusesOf(config)).toEqual(["APPLYING", "APPLIED"]);
      await host.sink.waitFor((await sender.stop()).accepted);
    },
  );

  it("staging: the change is forgotten, and applied when it is offered again", async () => {
    const { host, config, sender } = await endsAt("staging", (host) => named(host, "after"));
    await expectRuns(host, "before");
    expect(host.server.statusesOf(config)).not.toContain("FAILED");
    await host.apply(config);
    await expectRuns(host, "after");
    await host.sink.waitFor((await sender.stop()).accepted);
  });

  it("checking: a bad change is refused", async () => {
    const bad = remoteConfig({ "": { receivers: { doesntexist: {} } } });
    const { host, config, sender, pid } = await endsAt("checking", () => bad);
    await host.server.verdict(config);
    await expectRuns(host, "before");
    expect(host.server.statusesOf(config)).toEqual(["APPLYING", "FAILED"]);
    const { accepted, refused } = await sender.stop();
    await host.sink.waitFor(accepted);
    if (withCollector) return;
    expect(refused).toEqual([]);
    expect(host.collectorPid()).toBe(pid);
  });

  it.each<Step>(["switching", "proving", "reverting"])("%s: a bad change is taken back", async (step) => {
    const { host, config, sender } = await endsAt(step, (host) => portTaken(host, "after"));
    await host.server.verdict(config);
    await expectRuns(host, "before");
    expect(host.server.statusesOf(config)).toEqual(["APPLYING", "FAILED"]);
    await host.sink.waitFor((await sender.stop()).accepted);
  });
});
