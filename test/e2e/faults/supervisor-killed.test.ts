import { describe, expect, it } from "vitest";
import type { Step } from "../../../src/supervisor/change/change.ts";
import type { AgentRemoteConfig } from "../../../src/opamp/messages.ts";
import {
  dying,
  expectRuns,
  isOnProbation,
  killCollectors,
  lastStatusOf,
  named,
  offerAsAServer,
  portTaken,
  startBefore,
  startFaulty,
} from "../../support/fault-host.ts";
import { eventually } from "../../support/eventually.ts";
import { remoteConfig } from "../../support/recording-opamp-server.ts";
import { type SupervisorHost, supervisorHost } from "../../support/supervisor-host.ts";

const agent = { probation: "300ms" };

/** A machine that loses its power takes the Collector with it. */
const deaths = [
  { death: "killed", withCollector: false },
  { death: "cut off from power", withCollector: true },
];

describe.each(deaths)("a supervisor $death as soon as its journal said", ({ withCollector }) => {
  const endsAt = async (step: Step, make: (host: SupervisorHost) => AgentRemoteConfig | Promise<AgentRemoteConfig>) => {
    const host = await supervisorHost({ agent });
    const supervisor = await startBefore(host, { step, signal: "SIGKILL" });
    const pid = host.collectorPid();
    const sender = host.send();
    await sender.accepted();
    const config = host.server.offer(await make(host));
    await supervisor.exited;
    if (withCollector) await killCollectors(host);
    await startFaulty(host);
    return { host, config, sender, pid };
  };

  it.each<Step>(["checking", "switching", "proving", "keeping"])("%s: a good change is finished", async (step) => {
    const { host, config, sender } = await endsAt(step, (host) => named(host, "after"));
    await host.server.verdict(config);
    await expectRuns(host, "after");
    expect(host.server.statusesOf(config)).toEqual(["APPLYING", "APPLIED"]);
    await host.sink.waitFor((await sender.stop()).accepted);
  });

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

describe.each(deaths)("a supervisor $death after each file that it replaces", ({ withCollector }) => {
  /** Offers a configuration again and again, and lets the supervisor die one file later each time. */
  const enumerate = async (
    host: SupervisorHost,
    make: (n: number) => AgentRemoteConfig | Promise<AgentRemoteConfig>,
    check: (config: AgentRemoteConfig, n: number) => Promise<void>,
  ): Promise<number> => {
    for (let n = 1; ; n += 1) {
      const supervisor = await startBefore(host, { write: n, signal: "SIGKILL" });
      const config = await make(n);
      const from = host.server.mark;
      offerAsAServer(host, config);
      const whole = host.server
        .verdict(config, from)
        .then(() => eventually("all is settled", async () => (await host.readState("journal.json")) === "null\n" && !(await isOnProbation(host)), 20_000))
        .then(() => "whole" as const, () => "broken" as const);
      const outcome = await Promise.race([whole, supervisor.exited.then(() => "killed")]);
      if (outcome === "killed") {
        if (withCollector) await killCollectors(host);
        await startFaulty(host);
        try {
          await check(config, n);
        } catch (cause) {
          throw new Error(`killed after file ${n}`, { cause });
        }
      }
      await host.group.stop();
      if (outcome !== "killed") {
        expect(outcome).toBe("whole");
        return n;
      }
    }
  };

  it("applies a good change in the end", { timeout: 120_000 }, async () => {
    const host = await supervisorHost({ agent });
    const files = await enumerate(host, (n) => named(host, `after-${n}`), async (config, n) => {
      await host.server.until("APPLIED", () => lastStatusOf(host, config) === "APPLIED");
      await expectRuns(host, `after-${n}`);
    });
    expect(files).toBeGreaterThan(8);
  });

  it("takes back a bad change in the end", { timeout: 120_000 }, async () => {
    const host = await supervisorHost({ agent });
    const files = await enumerate(host, (n) => portTaken(host, `after-${n}`), async (config) => {
      await host.server.until("FAILED", () => lastStatusOf(host, config) === "FAILED");
      await expectRuns(host, "before");
    });
    expect(files).toBeGreaterThan(8);
  });

  it("takes back a change that dies on its probation in the end", { timeout: 120_000 }, async () => {
    const host = await supervisorHost({ agent: { ...agent, probation: "3s" } });
    const files = await enumerate(host, () => dying(host, 300), async (config) => {
      await host.server.until("FAILED", () => lastStatusOf(host, config) === "FAILED");
      await expectRuns(host, "before");
    });
    expect(files).toBeGreaterThan(8);
  });
});
