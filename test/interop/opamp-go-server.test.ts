import { once } from "node:events";
import { createServer } from "node:net";
import { describe, expect, it } from "vitest";
import { eventually } from "../support/eventually.ts";
import { Host, type HostOptions, shows, supervisorExecutable } from "./host.ts";
import type { AgentMessage } from "./opampgo-server.ts";
import { firstOtlpAnswer, sendOtlp } from "./otlp.ts";

const uuidV7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const newUid = "019a0000-0000-7000-8000-000000000001";

// Over plain HTTP the server can speak at a poll only; this makes polls come every second.
const quick = { cmd: "heartbeat", seconds: 1 };

describe.each(["ws", "http"] as const)("our supervisor at opamp-go's server over %s", (scheme) => {
  const options: HostOptions = {
    executable: supervisorExecutable,
    scheme,
    capabilities: { accepts_opamp_connection_settings: true, reports_available_components: true },
  };

  async function startedHost(): Promise<Host> {
    const host = await Host.create(options);
    if (scheme === "http") await host.server.send(quick);
    host.start();
    return host;
  }

  async function runningHost(): Promise<Host> {
    const host = await startedHost();
    try {
      const { hash } = await host.push(0);
      await host.alive(host.server.status("APPLIED", hash));
      await firstOtlpAnswer(host.otlpPort);
    } catch (error) {
      await host[Symbol.asyncDispose]();
      throw error;
    }
    return host;
  }

  it("AT3 AT8 AI1: connects with a full report and becomes healthy", async () => {
    await using host = await startedHost();
    const first = await host.alive(host.server.message("first message", () => true));
    expect(first.instanceUid).toMatch(uuidV7);
    expect(first.identifying).toMatchObject({ "service.instance.id": first.instanceUid });
    // ReportsStatus, AcceptsRemoteConfig, ReportsEffectiveConfig, ReportsHealth, ReportsRemoteConfig, ReportsHeartbeat
    for (const bit of [0x1, 0x2, 0x4, 0x800, 0x1000, 0x2000]) expect(first.capabilities & bit).toBe(bit);
    expect(first.health).toBeDefined();
    // What only the Collector knows follows once it has told.
    await host.server.state(
      "healthy, with the hash of its components",
      ({ health, availableComponents }) =>
        health?.healthy === true && availableComponents?.hash !== undefined,
    );
    const connecting = host.server.program.events.find(({ event }) => event === "connecting");
    expect(connecting).toMatchObject({ webSocket: scheme === "ws", path: "/v1/opamp" });
  });

  it("AS5: sends the available components when asked for them", async () => {
    await using host = await startedHost();
    await host.server.state("healthy start", ({ health }) => health?.healthy === true);
    await host.server.send({ cmd: "components" });
    const full = await host.server.message(
      "list of components",
      ({ availableComponents }) => (availableComponents?.count ?? 0) > 0,
    );
    expect(full.availableComponents?.nested).toBeGreaterThan(10);
  });

  it("AC3 AC4: applies a good configuration and reports it effective", async () => {
    await using host = await startedHost();
    await host.server.state("healthy start", ({ health }) => health?.healthy === true);
    const from = host.server.mark();
    const { hash } = await host.push(7);
    const applying = await host.server.status("APPLYING", hash, { from });
    const applied = await host.server.status("APPLIED", hash, { from });
    expect(applied.sequenceNum).toBeGreaterThan(applying.sequenceNum);
    await host.runsHealthy(7, from);
    expect(await sendOtlp(host.otlpPort)).toBe(true);
  });

  it("AC4: refuses an unknown component, and the same Collector process goes on", async () => {
    await using host = await runningHost();
    const before = host.collectorPids();
    const from = host.server.mark();
    const { hash } = await host.pushConfiguration({ ...host.configuration(1), exporters: { nosuch: {} } });
    const failed = await host.server.status("FAILED", hash, { from });
    expect(failed.remoteConfigStatus?.error).toContain("nosuch");
    expect(host.collectorPids()).toEqual(before);
    expect(await sendOtlp(host.otlpPort)).toBe(true);
    await expectRuns(host, 0);
  });

  it("AC4: takes back a configuration that fails at start, and telemetry flows again", async () => {
    await using host = await runningHost();
    const holder = createServer().listen(0, "127.0.0.1");
    await once(holder, "listening");
    const from = host.server.mark();
    const configuration = host.configuration(1);
    configuration.receivers.otlp.protocols.http.endpoint = addressOf(holder.address());
    const { hash } = await host.pushConfiguration(configuration);
    const failed = await host.server.status("FAILED", hash, { from });
    holder.close();
    expect(failed.remoteConfigStatus?.error).toContain("address already in use");
    await firstOtlpAnswer(host.otlpPort);
    await expectRuns(host, 0);
  });

  it("AW11 AH6: takes an offered heartbeat interval and sends empty messages", async () => {
    await using host = await startedHost();
    if (scheme === "ws") await host.server.send(quick);
    const beat = (from: number) => host.server.message("heartbeat", ({ empty }) => empty, { from });
    const first = await beat(0);
    const second = await beat(host.server.program.events.indexOf(first) + 1);
    expect(second.sequenceNum).toBeGreaterThan(first.sequenceNum);
  });

  it("AS4: reports everything when asked for the full state", async () => {
    await using host = await runningHost();
    const from = host.server.mark();
    await host.server.send({ cmd: "full-state" });
    const full = await host.server.message("full state", ({ identifying }) => identifying !== undefined, {
      from,
    });
    expect(full).toMatchObject({ health: { healthy: true }, remoteConfigStatus: { status: "APPLIED" } });
    expect(shows(full.effectiveConfig, 0)).toBe(true);
    expect(full.availableComponents).toBeDefined();
  });

  it("AI3 AI4: adopts a new instance UID and keeps it over a restart", async () => {
    await using host = await runningHost();
    const from = host.server.mark();
    await host.server.send({ cmd: "new-uid", uid: newUid });
    const renamed = (message: AgentMessage) => message.instanceUid === newUid;
    await host.server.message("message under the new UID", renamed, { from });
    await host.server.message(
      "description with the new UID",
      ({ identifying }) => identifying?.["service.instance.id"] === newUid,
      { from },
    );
    await host.stop();
    const restarted = host.server.mark();
    host.start();
    const first = await host.server.message("message after the restart", () => true, { from: restarted });
    expect(first.instanceUid).toBe(newUid);
  });

  it("restarts the Collector on command", async () => {
    await using host = await runningHost();
    const before = host.collectorPids();
    await host.server.send({ cmd: "restart" });
    // Not by a report of health: over plain HTTP one from before the order may come after it.
    await eventually("another Collector process", () => {
      const now = host.collectorPids();
      return now.length === 1 && now[0] !== before[0];
    });
    expect(await firstOtlpAnswer(host.otlpPort)).toBeGreaterThan(0);
  });

  it("stops the Collector on an empty configuration, and starts it on the next", async () => {
    await using host = await runningHost();
    const from = host.server.mark();
    const empty = await host.server.send({ cmd: "empty-config" });
    await host.server.status("APPLIED", empty.hash, { from });
    expect(host.collectorPids()).toEqual([]);
    const { hash } = await host.push(1);
    await host.server.status("APPLIED", hash, { from });
    await firstOtlpAnswer(host.otlpPort);
  });

  it("AT15: says good-bye when it is stopped", async () => {
    await using host = await runningHost();
    await host.stop();
    const last = await host.server.message("good-bye", ({ agentDisconnect }) => agentDisconnect === true);
    expect(host.server.program.events.filter(({ event }) => event === "message").at(-1)).toBe(last);
    expect(host.collectorPids()).toEqual([]);
  });
});

/** What the server is told when it asks: healthy on that variant. */
async function expectRuns(host: Host, variant: number): Promise<void> {
  const from = host.server.mark();
  await host.server.send({ cmd: "full-state" });
  await host.server.state(
    `variant ${variant} in effect`,
    ({ health, effectiveConfig }) => health?.healthy === true && shows(effectiveConfig, variant),
    { from },
  );
}

function addressOf(address: ReturnType<ReturnType<typeof createServer>["address"]>): string {
  if (address === null || typeof address === "string") throw new Error("no TCP address");
  return `${address.address}:${address.port}`;
}
