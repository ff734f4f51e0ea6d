import { once } from "node:events";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import type { AgentRemoteConfig } from "../../../src/opamp/messages.ts";
import { RemoteConfigStatuses } from "../../../src/opamp/messages.ts";
import { collectorBinary } from "../../support/collector.ts";
import { freePort } from "../../support/free-port.ts";
import { hashOf, remoteConfig } from "../../support/recording-opamp-server.ts";
import { type SupervisorHost, supervisorHost } from "../../support/supervisor-host.ts";

const { RemoteConfigStatuses_FAILED: failed } = RemoteConfigStatuses;

const reloadModes = [
  ["reload", {}],
  ["restart", { use_hup_config_reload: false }],
] as const;

interface BadConfiguration {
  what: string;
  /** Whether it is found out before the Collector that runs is touched. */
  untouched: boolean;
  /** Part of the Collector's own reason. */
  reason: RegExp;
  make: (host: SupervisorHost) => Promise<AgentRemoteConfig> | AgentRemoteConfig;
}

const badConfigurations: BadConfiguration[] = [
  {
    what: "an unknown component",
    untouched: true,
    reason: /'receivers' unknown type: "doesntexist"/,
    make: (host) => {
      const pipeline = host.pipeline();
      return remoteConfig({ "": { ...pipeline, receivers: { ...pipeline.receivers, doesntexist: {} } } });
    },
  },
  {
    what: "malformed YAML",
    untouched: true,
    reason: /line 3/,
    make: () => remoteConfig({ "": "receivers:\n  otlp: {}\n :\tx: [\n" }),
  },
  {
    what: "a taken port",
    untouched: false,
    reason: /address already in use/,
    make: async (host) => {
      const port = await freePort();
      const taken = createServer().listen(port, "127.0.0.1");
      await once(taken, "listening");
      onTestFinished(() => void taken.close());
      return host.remotePipeline({ port });
    },
  },
  {
    what: "a bad log encoding",
    untouched: false,
    reason: /no encoder registered for name/,
    make: (host) => host.remotePipeline({ telemetry: { logs: { encoding: "morse" } } }),
  },
];

describe.each(reloadModes)("a bad configuration, mode %s", (_mode, agent) => {
  it.each(badConfigurations)(
    "with $what is FAILED with the Collector's reason, and the former goes on",
    async ({ untouched, reason, make }) => {
      const host = await supervisorHost({ agent });
      const supervisor = await host.startHealthy();
      await host.apply(host.remotePipeline());
      const pid = host.collectorPid();
      const effective = host.server.effectiveText;
      const saved = await host.readState("last_recv_remote_config.dat");
      const bad = await make(host);
      const sender = host.send();
      await sender.accepted();

      const from = host.server.mark;
      host.server.offer(bad);
      const verdict = await host.server.verdict(bad, from);
      expect(verdict.status).toBe(failed);
      expect(verdict.errorMessage).toMatch(reason);
      expect(host.server.statusesOf(bad, from)).toEqual(["APPLYING", "FAILED"]);
      if (!untouched) await supervisor.waitFor("reverted");
      await host.server.until(
        "healthy on the former configuration",
        () => host.server.state?.health?.healthy && host.server.effectiveText === effective,
      );

      await sender.accepted();
      const { accepted, refused } = await sender.stop();
      await host.sink.waitFor(accepted);
      expect(await host.readState("last_recv_remote_config.dat")).toBe(saved);
      await host.onlyCollector();
      const unhealthy = host.server.received
        .slice(from)
        .filter(({ message }) => message.health?.healthy === false);
      const nothing = { refused: [], unhealthy: [], pid };
      expect(untouched ? { refused, unhealthy, pid: host.collectorPid() } : nothing).toEqual(nothing);
      const line = await supervisor.waitFor("config_update_failed");
      expect(line).toMatchObject({
        level: "error",
        config_hash: hashOf(bad),
        error: verdict.errorMessage,
        duration_ms: expect.any(Number),
      });
    },
  );

  it.each(badConfigurations)(
    "with $what, offered again, stays FAILED and costs nothing, also of the next supervisor",
    async ({ reason, make }) => {
      const host = await supervisorHost({ agent });
      const commands = await countCommands(host);
      const first = await host.startHealthy();
      const good = await host.apply(host.remotePipeline());
      const bad = await make(host);
      host.server.offer(bad);
      await host.server.verdict(bad);
      await host.expectDataFlows();
      const pid = host.collectorPid();
      const sender = host.send();
      await sender.accepted();

      const validations = commands("validate");
      const logged = first.lines.length;
      host.server.offer(bad);
      await first.waitFor("config_received", { from: logged });
      await expectStillFailed(host, bad);
      await sender.accepted();
      expect((await sender.stop()).refused).toEqual([]);
      expect(host.collectorPid()).toBe(pid);
      expect(commands("validate")).toBe(validations);
      expect(first.lines.filter(({ event }) => event === "config_update_failed")).toHaveLength(1);

      await first.kill("SIGTERM");
      const from = host.server.mark;
      const second = await host.startHealthy();
      const { status, errorMessage } = await host.server.verdict(bad, from);
      expect(status).toBe(failed);
      expect(errorMessage).toMatch(reason);
      host.server.offer(bad);
      await second.waitFor("config_received");
      await expectStillFailed(host, bad);
      expect(host.server.statusesOf(bad, from)).toEqual(["FAILED"]);
      await host.expectDataFlows();
      expect(second.lines.filter(({ event }) => event === "config_update_failed")).toEqual([]);

      // The server gives up on it and wants what runs.
      await host.apply(good);
      await host.expectDataFlows();
    },
  );
});

/** Puts a script in front of the Collector that notes each command; resolves to how often one was given. */
async function countCommands(host: SupervisorHost): Promise<(command: string) => number> {
  const [executable, notes] = [join(host.dir, "otelcol"), join(host.dir, "commands")];
  writeFileSync(executable, `#!/bin/sh\necho "$1" >>'${notes}'\nexec '${collectorBinary()}' "$@"\n`);
  chmodSync(executable, 0o755);
  await host.writeSettings({ executable });
  return (command) =>
    readFileSync(notes, "utf8")
      .split("\n")
      .filter((line) => line === command).length;
}

/** A verdict that does not change is not sent again, so the server asks for everything. */
async function expectStillFailed(host: SupervisorHost, config: AgentRemoteConfig): Promise<void> {
  const from = host.server.mark;
  host.server.push({ flags: 1n });
  const status = await host.server.reported("remoteConfigStatus", () => true, from);
  expect(status).toMatchObject({ status: failed, lastRemoteConfigHash: config.configHash });
}

describe("a bad first configuration", () => {
  it("on a host that never had one leaves the empty Collector, which never passes for healthy", async () => {
    const host = await supervisorHost();
    await host.start();
    await host.server.reported("health", ({ healthy }) => healthy);
    const bad = await badConfigurations[2]!.make(host);
    const from = host.server.mark;
    host.server.offer(bad);
    expect((await host.server.verdict(bad, from)).errorMessage).toContain("address already in use");
    const isEmpty = ({
      healthy,
      status,
      lastError,
    }: {
      healthy: boolean;
      status: string;
      lastError: string;
    }) => !healthy && status.startsWith("bootstrap: ") && lastError.includes("address already in use");
    await host.server.reported("health", isEmpty, from);
    await host.onlyCollector();
    await host.apply(host.remotePipeline());
    await host.server.until("healthy", () => host.server.state?.health?.status === "StatusOK");
  });

  it("that the reference saved does not keep the supervisor from starting, and a good one follows", async () => {
    const host = await supervisorHost();
    const bad = remoteConfig({ "": "receivers: [\n" });
    await host.saveRemote(bad);
    await host.start();
    const verdict = await host.server.verdict(bad);
    expect(verdict).toMatchObject({ status: failed, errorMessage: expect.stringMatching(/YAML/) });
    await host.server.reported(
      "health",
      ({ healthy, status }) => !healthy && status === "bootstrap: StatusOK",
    );
    await host.onlyCollector();
    await host.apply(host.remotePipeline());
    await host.expectDataFlows();
  });

  it("that the reference saved leaves the host to its own files", async () => {
    const host = await supervisorHost({ configFiles: { "local.yaml": "" } });
    host.writeConfigFile("local.yaml", host.pipeline());
    const bad = remoteConfig({ "": { exporters: { doesntexist: {} } } });
    await host.saveRemote(bad);
    await host.start();
    expect((await host.server.verdict(bad)).status).toBe(failed);
    await host.server.reported("health", ({ healthy, status }) => healthy && status === "StatusOK");
    await host.expectDataFlows();
    expect(host.server.statusesOf(bad)).toEqual(["APPLYING", "FAILED"]);
  });

  it("of a local file leaves the empty Collector, and the server can help", async () => {
    const host = await supervisorHost({ configFiles: { "local.yaml": { exporters: { doesntexist: {} } } } });
    const supervisor = await host.start();
    await supervisor.waitFor("config_update_failed");
    await host.server.reported("health", ({ status }) => status === "bootstrap: StatusOK");
    await host.onlyCollector();
    host.writeConfigFile("local.yaml", { exporters: { debug: {} } });
    await host.apply(host.remotePipeline());
    await host.expectDataFlows();
  });
});
