import { existsSync } from "node:fs";
import { join } from "node:path";
import { fromBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { ServerToAgentFlag } from "../../../src/opamp/bits.ts";
import { formatInstanceUid } from "../../../src/opamp/instance-uid.ts";
import { AgentRemoteConfigSchema } from "../../../src/opamp/messages.ts";
import { eventually } from "../../support/eventually.ts";
import { hashOf, remoteConfig } from "../../support/recording-opamp-server.ts";
import { supervisorHost } from "../../support/supervisor-host.ts";

const reloadModes = [
  ["reload", {}],
  ["restart", { use_hup_config_reload: false }],
] as const;

/** Adds to the number of a record, so that the backend tells which rule was applied to it. */
const shift = 1_000_000;
const shiftNumbers = `set(log.attributes["number"], log.attributes["number"] + ${shift})`;

describe.each(reloadModes)("a pushed configuration, mode %s", (mode, agent) => {
  it("loses no record that was accepted, and refuses none once it is APPLIED", async () => {
    const host = await supervisorHost({ agent });
    await host.startHealthy();
    await host.apply(host.remotePipeline());
    const pid = host.collectorPid();
    const sender = host.send();
    const before = await sender.accepted();
    await host.apply(host.remotePipeline({ statements: [shiftNumbers] }));
    const appliedAt = performance.now();
    await sender.accepted();
    const after = await sender.accepted();
    const { accepted, results } = await sender.stop();

    expect(results.filter(({ sentAt, accepted }) => sentAt > appliedAt && !accepted)).toEqual([]);
    // What is refused is refused in one gap, and only because nobody listened.
    const refused = results.filter((result) => !result.accepted);
    for (const { outcome } of refused) expect(["ECONNREFUSED", "ECONNRESET"]).toContain(outcome);
    await host.sink.waitFor([before.number]);
    // The rule takes effect without a restart where reloads are allowed.
    await host.sink.waitFor([after.number + shift]);
    const arrived = () =>
      accepted.filter((n) => host.sink.received.has(n) || host.sink.received.has(n + shift));
    await expect.poll(() => arrived().length).toBe(accepted.length);
    expect(host.collectorPid() === pid).toBe(mode === "reload");
  });

  it("is APPLYING, then APPLIED, with its hash, and kept as the reference keeps it", async () => {
    const host = await supervisorHost({ agent });
    const supervisor = await host.startHealthy();
    const config = remoteConfig({
      "base.yaml": host.pipeline(),
      "more.yaml": { exporters: { debug: {} } },
      "": { service: { pipelines: { logs: { exporters: ["otlphttp", "debug"] } } } },
    });
    const from = host.server.mark;
    await host.apply(config);
    expect(host.server.statusesOf(config, from)).toEqual(["APPLYING", "APPLIED"]);
    await host.server.until("the debug exporter is effective", () =>
      /- debug/.test(host.server.effectiveText),
    );
    await host.expectDataFlows();

    const saved = Buffer.from(await host.readState("last_recv_remote_config.dat"), "latin1");
    expect(fromBinary(AgentRemoteConfigSchema, new Uint8Array(saved))).toEqual(config);
    // The server is told first: the journal holds what to say should the disk not get that far.
    const applied = new RegExp(`status: 1\\n +last_remote_config_hash: "?${hashOf(config)}`);
    await eventually("the status is on disk", async () =>
      applied.test(await host.readState("persistent_state.yaml")),
    );
    for (const name of ["effective.yaml", "agent.log"])
      expect(existsSync(join(host.stateDir, name))).toBe(true);

    expect(await supervisor.waitFor("connected_to_server")).toMatchObject({
      level: "info",
      server_url: `ws://127.0.0.1:${host.ports.opamp}/v1/opamp`,
      instance_uid: formatInstanceUid(host.server.state!.instanceUid),
    });
    const received = await supervisor.waitFor("config_received");
    expect(received).toMatchObject({ config_hash: hashOf(config), config_size_bytes: expect.any(Number) });
    const updated = await supervisor.waitFor(
      ({ event, config_hash }) => event === "config_updated" && config_hash === hashOf(config),
    );
    expect(updated).toMatchObject({ level: "info", trigger: "remote", duration_ms: expect.any(Number) });
    expect(updated.duration_ms).toBeGreaterThan(0);
  });
});

describe("configurations that follow each other", () => {
  it("of several in a burst the newest runs at the end, and each hash that was begun got a verdict", async () => {
    const host = await supervisorHost();
    await host.startHealthy();
    const from = host.server.mark;
    const configs = [1, 2, 3, 4, 5].map((factor) =>
      host.remotePipeline({
        statements: [`set(log.attributes["number"], log.attributes["number"] + ${factor * shift})`],
      }),
    );
    for (const config of configs) host.server.offer(config);
    const last = configs.at(-1)!;
    await host.server.verdict(last, from);
    expect(host.server.statusesOf(last, from)).toEqual(["APPLYING", "APPLIED"]);
    for (const config of configs) {
      const statuses = host.server.statusesOf(config, from);
      expect([[], ["APPLYING", "APPLIED"]]).toContainEqual(statuses);
    }
    const sender = host.send();
    const { number } = await sender.accepted();
    await sender.stop();
    await host.sink.waitFor([number + 5 * shift]);
  });

  it("the one that runs, offered again under another hash, is APPLIED without touching the Collector", async () => {
    const host = await supervisorHost();
    await host.startHealthy();
    await host.apply(host.remotePipeline());
    const effective = await host.readState("effective.yaml");
    const again = remoteConfig({ "": `${JSON.stringify(host.pipeline())} # the same` });
    const from = host.server.mark;
    await host.apply(again);
    expect(host.server.statusesOf(again, from).at(-1)).toBe("APPLIED");
    expect(await host.readState("effective.yaml")).toBe(effective);
  });

  it("after a bad one the next good one is applied", async () => {
    const host = await supervisorHost();
    await host.startHealthy();
    const bad = host.server.offer(remoteConfig({ "": { receivers: { doesntexist: {} } } }));
    expect((await host.server.verdict(bad)).errorMessage).toContain("doesntexist");
    await host.apply(host.remotePipeline());
    await host.expectDataFlows();
  });
});

describe("a server that offers its configuration with every answer", () => {
  it.each([
    ["good", "APPLIED"],
    ["bad", "FAILED"],
  ])("gets one verdict on a %s one, and no storm of messages", async (kind, verdict) => {
    const host = await supervisorHost();
    const config =
      kind === "good" ? host.remotePipeline() : remoteConfig({ "": { receivers: { doesntexist: {} } } });
    host.server.answer = () => ({ remoteConfig: config });
    const supervisor = await host.start();
    await host.server.verdict(config);
    await host.server.until("it has settled", () => host.server.state?.health?.status.endsWith("StatusOK"));
    expect(host.server.statusesOf(config)).toEqual(["APPLYING", verdict]);
    // Ten more offers, as on ten heartbeats.
    const [pid, from] = [host.collectorPid(), host.server.mark];
    for (let count = 0; count < 10; count += 1) host.server.offer(config);
    await supervisor.waitFor(
      (line) => line.event === "config_received" && receivedTimes(supervisor.lines) >= 11,
    );
    const asked = host.server.mark;
    host.server.push({ flags: ServerToAgentFlag.ReportFullState });
    await host.server.reported("agentDescription", () => true, asked);
    expect(host.server.mark - from).toBeLessThan(10);
    expect(host.collectorPid()).toBe(pid);
    expect(supervisor.lines.filter(({ event }) => event === "config_update_failed").length).toBeLessThan(2);
  });

  it("on a new connection finds that it runs already", async () => {
    const host = await supervisorHost();
    const first = await host.startHealthy();
    const config = await host.apply(host.remotePipeline());
    await first.kill("SIGUSR2");
    const pid = host.collectorPid();
    const from = host.server.mark;
    host.server.answer = () => ({ remoteConfig: config });
    const second = await host.start();
    await second.waitFor("config_received");
    await host.server.reported("health", ({ healthy }) => healthy, from);
    expect(host.server.statusesOf(config, from)).toEqual(["APPLIED"]);
    expect(host.collectorPid()).toBe(pid);
    await host.expectDataFlows();
  });
});

describe("a configuration without the capability reports_remote_config", () => {
  it("is applied, and nothing is said about it", async () => {
    const host = await supervisorHost({ capabilities: { reports_remote_config: false } });
    const supervisor = await host.startHealthy();
    host.server.offer(host.remotePipeline());
    await supervisor.waitFor(({ event, trigger }) => event === "config_updated" && trigger === "remote");
    await host.expectDataFlows();
    expect(host.server.received.filter(({ message }) => message.remoteConfigStatus)).toEqual([]);
  });
});

function receivedTimes(lines: readonly Record<string, unknown>[]): number {
  return lines.filter(({ event }) => event === "config_received").length;
}
