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

interface Enumeration {
  agent: Record<string, unknown>;
  make(host: SupervisorHost): AgentRemoteConfig | Promise<AgentRemoteConfig>;
  /** What it must come to, and which configuration runs then. */
  status: "APPLIED" | "FAILED";
  runs: string;
}

/** Offers a configuration to one host after the other, and has each supervisor die one file later. */
async function dieLaterAndLater(withCollector: boolean, { agent, make, status, runs }: Enumeration): Promise<number> {
  for (let write = 1; ; write += 1) {
    const host = await supervisorHost({ agent });
    const supervisor = await startBefore(host, { write, signal: "SIGKILL" });
    const config = await make(host);
    offerAsAServer(host, config);
    const settled = async () => {
      await host.server.verdict(config);
      await eventually("all is settled", async () => {
        const idle = (await host.readState("journal.json")) === "null\n" && !(await isOnProbation(host));
        return idle && lastStatusOf(host, config) === status;
      });
      return "settled";
    };
    const outcome = await Promise.race([settled(), supervisor.exited.then(() => "killed")]);
    if (outcome === "settled") return write;
    if (withCollector) await killCollectors(host);
    await startFaulty(host);
    try {
      await host.server.until(status, () => lastStatusOf(host, config) === status);
      await expectRuns(host, runs);
    } catch (cause) {
      const error = cause instanceof Error ? cause.message : String(cause);
      throw new Error(`killed after file ${write}: ${error}\n${host.logLines.map((line) => JSON.stringify(line)).join("\n")}`, { cause });
    }
    await host.group.stop();
  }
}

describe.each(deaths)("a supervisor $death after each file that it replaces", ({ withCollector }) => {
  it("applies a good change in the end", { timeout: 120_000 }, async () => {
    const good = (host: SupervisorHost) => named(host, "after");
    const files = await dieLaterAndLater(withCollector, { agent, make: good, status: "APPLIED", runs: "after" });
    expect(files).toBeGreaterThan(8);
  });

  it("takes back a bad change in the end", { timeout: 120_000 }, async () => {
    const bad = (host: SupervisorHost) => portTaken(host, "after");
    const files = await dieLaterAndLater(withCollector, { agent, make: bad, status: "FAILED", runs: "before" });
    expect(files).toBeGreaterThan(8);
  });

  it("takes back a change that dies on its probation in the end", { timeout: 120_000 }, async () => {
    const files = await dieLaterAndLater(withCollector, {
      agent,
      make: (host) => dying(host, 300),
      status: "FAILED",
      runs: "before",
    });
    expect(files).toBeGreaterThan(8);
  });
});
