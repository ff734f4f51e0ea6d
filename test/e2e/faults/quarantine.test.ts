import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import type { AgentRemoteConfig } from "../../../src/opamp/messages.ts";
import { eventually } from "../../support/eventually.ts";
import {
  addFallback,
  allCollectors,
  dying,
  expectRuns,
  isOnProbation,
  lastStatusOf,
  named,
  theOneCollector,
} from "../../support/fault-host.ts";
import { freePort } from "../../support/free-port.ts";
import { type SupervisorHost, supervisorHost } from "../../support/supervisor-host.ts";

const agent = { probation: "1s", crash_loop: { max_exits: 2 } };

/** Gives the host a first and only configuration that works for longer than its probation, and then dies again and again. */
async function loseItsOnlyOne(host: SupervisorHost): Promise<AgentRemoteConfig> {
  await host.startHealthy();
  const config = await host.apply(dying(host, 50));
  await eventually("the probation is over", async () => !(await isOnProbation(host)));
  host.send();
  await host.server.until("FAILED", () => lastStatusOf(host, config) === "FAILED");
  return config;
}

/** Offers it again and resolves when the supervisor has answered. */
async function offerAgain(host: SupervisorHost, config: AgentRemoteConfig): Promise<void> {
  const seen = host.logLines.length;
  host.server.offer(config);
  const isReceived = ({ event }: Record<string, unknown>) => event === "config_received";
  await eventually("the offer is seen", () => host.logLines.slice(seen).some(isReceived));
  // A verdict that does not change is not sent again, so the server asks for everything.
  const from = host.server.mark;
  host.server.push({ flags: 1n });
  await host.server.reported("remoteConfigStatus", () => true, from);
  expect(lastStatusOf(host, config)).toBe("FAILED");
}

/** The reference, taking this host over, must not find it. */
async function expectNotKept(host: SupervisorHost, { configHash }: AgentRemoteConfig): Promise<void> {
  const path = join(host.stateDir, "last_recv_remote_config.dat");
  await eventually(
    "it is not kept",
    () => !existsSync(path) || !readFileSync(path).includes(Buffer.from(configHash)),
  );
}

describe("the only configuration that ever worked, once it is in a crash loop,", () => {
  it("is FAILED, is not started because it is offered again, and stays FAILED in the next supervisor", async () => {
    const host = await supervisorHost({ agent });
    const config = await loseItsOnlyOne(host);
    await host.server.reported("health", ({ status }) => status === "held");
    await expectNotKept(host, config);
    await offerAgain(host, config);
    expect(await allCollectors(host)).toEqual([]);
    expect(host.server.state?.health?.status).toBe("held");

    const from = host.server.mark;
    await host.restart("SIGTERM");
    await host.server.reported("health", ({ status }) => status === "held", from, 30_000);
    await offerAgain(host, config);
    expect(host.server.statusesOf(config)).toEqual(["APPLYING", "APPLIED", "FAILED"]);
    await expectNotKept(host, config);
    await host.apply(named(host, "after"));
    await expectRuns(host, "after");
  });

  it("leaves the host to its fallback, which the next supervisor adopts", async () => {
    const host = await supervisorHost({ agent });
    const port = await addFallback(host);
    const config = await loseItsOnlyOne(host);
    await host.server.reported("health", ({ status }) => status === "fallback: StatusOK");
    await host.expectDataFlows(port);
    await expectNotKept(host, config);
    const pid = await theOneCollector(host);
    await offerAgain(host, config);
    expect(await theOneCollector(host)).toBe(pid);

    for (const signal of ["SIGKILL", "SIGUSR2"] as const) {
      const from = host.server.mark;
      await host.restart(signal);
      await host.server.reported("health", ({ status }) => status === "fallback: StatusOK", from, 40_000);
      await offerAgain(host, config);
      expect(await theOneCollector(host)).toBe(pid);
      await host.expectDataFlows(port);
      await expectNotKept(host, config);
    }
    expect(host.server.statusesOf(config)).toEqual(["APPLYING", "APPLIED", "FAILED"]);
    await host.apply(named(host, "after"));
    await expectRuns(host, "after");
  });
});

describe("a configuration that FAILED", () => {
  it("is tried again when it is offered after another one, and not before", async () => {
    const host = await supervisorHost({ agent: { probation: "1ms" } });
    await host.startHealthy();
    await host.apply(named(host, "before"));
    const port = await freePort();
    const other = createServer().listen(port, "127.0.0.1");
    onTestFinished(() => void other.close());
    await once(other, "listening");
    const config = host.server.offer(named(host, "tried twice", { port }));
    await host.server.verdict(config);
    other.close();
    await once(other, "close");
    await offerAgain(host, config);
    expect(host.server.statusesOf(config)).toEqual(["APPLYING", "FAILED"]);

    await host.apply(named(host, "between"));
    await host.apply(config);
    expect(host.server.statusesOf(config)).toEqual(["APPLYING", "FAILED", "APPLYING", "APPLIED"]);
    await host.server.until("it runs", () => host.server.effectiveText.includes("generation: tried twice"));
    await host.expectDataFlows(port);
    await theOneCollector(host);
  });
});
