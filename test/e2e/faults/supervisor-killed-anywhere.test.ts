import { describe, expect, it } from "vitest";
import type { AgentRemoteConfig } from "../../../src/opamp/messages.ts";
import { eventually } from "../../support/eventually.ts";
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
import { type SupervisorHost, supervisorHost } from "../../support/supervisor-host.ts";

interface Enumeration {
  probation: string;
  make: (host: SupervisorHost) => AgentRemoteConfig | Promise<AgentRemoteConfig>;
  /** What it must come to, and which configuration runs then. */
  status: "APPLIED" | "FAILED";
  runs: string;
}

/**
 * Offers a configuration to one host after the other. Each supervisor dies one file later than the one before;
 * every other time the whole machine loses its power. Resolves to the files of a change that was let finish.
 */
async function dieLaterAndLater({ probation, make, status, runs }: Enumeration): Promise<number> {
  for (let write = 1; ; write += 1) {
    const host = await supervisorHost({ agent: { probation } });
    const supervisor = await startBefore(host, { write, signal: "SIGKILL" });
    const config = await make(host);
    const sender = host.send();
    await sender.accepted();
    offerAsAServer(host, config);
    await Promise.race([settled(host, config, status), supervisor.exited]);
    clearFault(host);
    const { signal } = await supervisor.kill("SIGTERM");
    if (signal === null) return write - 1;
    if (write % 2 === 0) await killCollectors(host);
    const next = await startFaulty(host);
    await next.waitFor("started");
    // What the dead one said has all been read by now.
    const from = host.server.mark;
    host.server.push({ flags: 1n });
    try {
      await host.server.reported("health", ({ healthy }) => healthy, from);
      await host.server.until(status, () => lastStatusOf(host, config) === status);
      await expectRuns(host, runs);
    } catch (cause) {
      throw new Error(`killed after file ${write}: ${String(cause)}\n${JSON.stringify(host.logLines)}`, {
        cause,
      });
    }
    await host.group.stop();
  }
}

async function settled(host: SupervisorHost, config: AgentRemoteConfig, status: string): Promise<void> {
  await host.server.verdict(config);
  await eventually("all is settled", async () => {
    const idle = (await host.readState("journal.json")) === "null\n" && !(await isOnProbation(host));
    return idle && lastStatusOf(host, config) === status;
  });
}

describe("a supervisor killed after each file that it replaces, every other time with its Collector", () => {
  it("applies a good change in the end", { timeout: 120_000 }, async () => {
    const make = (host: SupervisorHost) => named(host, "after");
    const files = await dieLaterAndLater({ probation: "300ms", make, status: "APPLIED", runs: "after" });
    expect(files).toBeGreaterThan(8);
  });

  it("takes back a bad change in the end", { timeout: 120_000 }, async () => {
    const make = (host: SupervisorHost) => portTaken(host, "after");
    const files = await dieLaterAndLater({ probation: "300ms", make, status: "FAILED", runs: "before" });
    expect(files).toBeGreaterThan(8);
  });

  it("takes back a change that dies on its probation in the end", { timeout: 120_000 }, async () => {
    const make = (host: SupervisorHost) => dying(host, 100);
    const files = await dieLaterAndLater({ probation: "2s", make, status: "FAILED", runs: "before" });
    expect(files).toBeGreaterThan(8);
  });
});
