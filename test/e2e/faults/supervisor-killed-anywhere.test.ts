import { describe, expect, it } from "vitest";
import type { Step } from "../../../src/supervisor/change/change.ts";
import type { AgentRemoteConfig } from "../../../src/opamp/messages.ts";
import {
  clearFault,
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
    const sender = host.send();
    await sender.accepted();
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
    const from = host.server.mark;
    clearFault(host);
    await startFaulty(host);
    try {
      await host.server.reported("health", ({ healthy }) => healthy, from);
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
      agent: { probation: "2s" },
      make: (host) => dying(host, 100),
      status: "FAILED",
      runs: "before",
    });
    expect(files).toBeGreaterThan(8);
  });
});
