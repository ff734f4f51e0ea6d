import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { eventually } from "../../support/eventually.ts";
import { type Hostility, startHostileServer } from "../../support/hostile-server.ts";
import type { LaunchedProcess } from "../../support/launched-process.ts";
import { type SupervisorHost, supervisorHost } from "../../support/supervisor-host.ts";

const mebibyte = 1024 * 1024;
const transports = ["ws", "http"] as const;

/** A host with a Collector that runs a configuration of its own, and takes messages of 4 MiB at most. */
async function hostOf(transport: (typeof transports)[number]): Promise<SupervisorHost> {
  const host = await supervisorHost({ transport, server: "down", configFiles: { "own.yaml": "" } });
  const endpoint = `${transport}://127.0.0.1:${host.ports.opamp}/v1/opamp`;
  host.writeConfigFile("own.yaml", host.pipeline());
  await host.writeSettings({}, {}, { server: { endpoint, max_message_size: "4MiB" } });
  return host;
}

/** The most memory that it has ever had, in bytes. */
function peakRss({ pid }: LaunchedProcess): number {
  return 1024 * Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
}

/** A good server takes the place of the bad one: it gets all that a first report has. */
async function expectFirstReport(host: SupervisorHost): Promise<void> {
  const server = await host.startServer();
  await server.reported("health", ({ healthy }) => healthy, 0, 50_000);
  const [first] = server.received;
  expect(first?.message.agentDescription?.identifyingAttributes.length).toBeGreaterThan(0);
  expect(first?.message.health).toBeDefined();
  expect(first?.message.effectiveConfig).toBeDefined();
  // It did not ask for anything that was left out.
  expect(server.state?.sequenceNum).toBe(BigInt(server.received.length - 1) + first!.message.sequenceNum);
}

/** Does it on one host for each. */
function onHosts(
  kinds: readonly Hostility[],
  run: (host: SupervisorHost, hostility: Hostility) => Promise<void>,
) {
  const pairs = transports.flatMap((transport) => kinds.map((hostility) => ({ transport, hostility })));
  return Promise.all(
    pairs.map(async ({ transport, hostility }) => {
      try {
        await run(await hostOf(transport), hostility);
      } catch (cause) {
        throw new Error(`with a server that ${hostility}, over ${transport}`, { cause });
      }
    }),
  );
}

it(
  "P1 P4 AW4 AH8 a server that hangs up, redirects or bombs is met with back-off and little memory, and takes nothing from the first report",
  {
    timeout: 120_000,
  },
  () =>
    onHosts(["hangs-up", "redirects", "bombs"], async (host, hostility) => {
      const supervisor = await host.start();
      await host.expectDataFlows();
      const pid = host.collectorPid();
      const before = peakRss(supervisor);
      const hostile = await startHostileServer(host.ports.opamp, hostility);
      // One attempt of a redirected one is several connections.
      const perAttempt = hostility === "redirects" ? 6 : 1;
      const attempts = () => hostile.connections.filter((_, index) => index % perAttempt === 0);
      await eventually("three attempts", () => attempts().length > 2, 60_000);
      const [first = 0, second = 0, third = 0] = attempts();
      expect(third - second).toBeGreaterThan(0.9 * (second - first));
      expect(hostile.connections.length).toBeLessThanOrEqual(3 * perAttempt);
      expect(peakRss(supervisor) - before).toBeLessThan(32 * mebibyte);
      await hostile.close();
      await expectFirstReport(host);
      expect(host.collectorPid()).toBe(pid);
      await host.expectDataFlows();
    }),
);

it(
  "P4 a server that stalls or trickles is left in the end, and takes nothing from the first report",
  {
    timeout: 120_000,
  },
  () =>
    onHosts(["stalls", "trickles"], async (host, hostility) => {
      const hostile = await startHostileServer(host.ports.opamp, hostility);
      const supervisor = await host.start();
      await host.expectDataFlows();
      const before = peakRss(supervisor);
      await supervisor.waitFor("server_connection_failed", { timeoutMs: 60_000 });
      expect(hostile.connections).toHaveLength(1);
      expect(peakRss(supervisor) - before).toBeLessThan(16 * mebibyte);
      await hostile.close();
      await expectFirstReport(host);
      await host.expectDataFlows();
    }),
);
