import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { AgentRemoteConfig } from "../../../src/opamp/messages.ts";
import { eventually } from "../../support/eventually.ts";
import {
  expectRuns,
  lastStatusOf,
  named,
  type SlowSource,
  slowSource,
  standIn,
} from "../../support/fault-host.ts";
import { remoteConfig } from "../../support/recording-opamp-server.ts";
import { type SupervisorHost, supervisorHost } from "../../support/supervisor-host.ts";

/** Resolves when the Collector itself, after the check, asks for what its start waits for. */
async function started(host: SupervisorHost, config: AgentRemoteConfig, source: SlowSource): Promise<void> {
  const verdict = host.server.verdict(config).then(({ errorMessage }) => {
    throw new Error(`a verdict without a start: ${errorMessage}`);
  });
  await Promise.race([source.asked, verdict]);
  verdict.catch(() => undefined);
}

const reloadModes = [
  ["reload", {}],
  ["restart", { use_hup_config_reload: false }],
] as const;

/** A pipeline whose start waits for what `reference` stands for. */
function waitingFor(host: SupervisorHost, reference: string) {
  return named(host, "after", { telemetry: { resource: { generation: "after", waits: reference } } });
}

describe("a Collector that hangs", () => {
  it("stopped by SIGSTOP is killed after the liveness timeout, and started again", async () => {
    const host = await supervisorHost({ agent: { liveness_timeout: "1s", probation: "1ms" } });
    const supervisor = await host.startHealthy();
    const config = await host.apply(named(host, "before"));
    const pid = host.collectorPid();
    const from = host.server.mark;
    process.kill(pid, "SIGSTOP");
    await supervisor.waitFor("collector_hung");
    await eventually("another one runs", () => host.collectorPid() !== pid);
    await expectRuns(host, "before");
    expect(host.server.statusesOf(config, from)).toEqual([]);
  });

  it("for less than the timeout is left alone, and so is one that is healthy and quiet", async () => {
    const host = await supervisorHost({ agent: { liveness_timeout: "3s", probation: "1ms" } });
    const supervisor = await host.startHealthy();
    await host.apply(named(host, "before"));
    const pid = host.collectorPid();
    process.kill(pid, "SIGSTOP");
    await sleep(300);
    process.kill(pid, "SIGCONT");
    // Nothing is said on the link for longer than the timeout.
    await sleep(4_000);
    await expectRuns(host, "before");
    expect(host.collectorPid()).toBe(pid);
    expect(supervisor.lines.filter(({ event }) => event === "collector_hung")).toEqual([]);
  });
});

describe("a configuration", () => {
  it.each(reloadModes)(
    "with which the Collector never gets past starting is FAILED after the timeout, mode %s",
    async (_mode, agent) => {
      const host = await supervisorHost({
        agent: { probation: "1ms", ...agent, config_apply_timeout: "2s" },
      });
      await host.startHealthy();
      await host.apply(named(host, "before"));
      const source = await slowSource();
      const config = host.server.offer(waitingFor(host, source.reference));
      await started(host, config, source);
      await host.server.until("FAILED", () => lastStatusOf(host, config) === "FAILED");
      await expectRuns(host, "before");
      expect(host.server.statusesOf(config)).toEqual(["APPLYING", "FAILED"]);
      expect(host.server.state?.remoteConfigStatus?.errorMessage).toMatch(/^Config apply timeout exceeded: /);
    },
  );

  it("that starts slowly is APPLIED when it is healthy", async () => {
    const host = await supervisorHost({ agent: { probation: "1ms" } });
    await host.startHealthy();
    await host.apply(named(host, "before"));
    const source = await slowSource();
    const config = host.server.offer(waitingFor(host, source.reference));
    await started(host, config, source);
    expect(lastStatusOf(host, config)).toBe("APPLYING");
    source.release();
    await host.server.verdict(config);
    await expectRuns(host, "after");
    expect(host.server.statusesOf(config)).toEqual(["APPLYING", "APPLIED"]);
  });

  it("that is the first one, and healthy only after the timeout, is corrected from FAILED to APPLIED", async () => {
    const host = await supervisorHost({ agent: { probation: "1ms", config_apply_timeout: "1s" } });
    await host.startHealthy();
    const source = await slowSource();
    const config = host.server.offer(waitingFor(host, source.reference));
    await started(host, config, source);
    await host.server.until("FAILED", () => lastStatusOf(host, config) === "FAILED");
    source.release();
    await host.server.until("APPLIED", () => lastStatusOf(host, config) === "APPLIED");
    await expectRuns(host, "after");
    expect(host.server.statusesOf(config)).toEqual(["APPLYING", "FAILED", "APPLIED"]);
  });

  it("whose check hangs touches nothing, is the host's failure, and is tried when offered again", {
    timeout: 40_000,
  }, async () => {
    const host = await supervisorHost({ agent: { probation: "1ms" } });
    // A real Collector whose file system hangs behaves like this in `validate`.
    const hanging = `case "$1" in validate) [ -e ${host.dir}/hang ] && sleep 1000;; esac\nexec "$COLLECTOR" "$@"`;
    await host.writeSettings({ executable: standIn(host, hanging) });
    await host.startHealthy();
    await host.apply(named(host, "before"));
    const pid = host.collectorPid();
    host.writeConfigFile("hang", "");
    const sender = host.send();
    const config = host.server.offer(named(host, "after"));
    await host.server.until("FAILED", () => lastStatusOf(host, config) === "FAILED");
    expect(host.server.state?.remoteConfigStatus?.errorMessage).toMatch(
      /validate did not end within 10000 ms/,
    );
    await expectRuns(host, "before");
    const { refused } = await sender.stop();
    expect(refused).toEqual([]);
    expect(host.collectorPid()).toBe(pid);
    expect((await host.group.alive()).filter(({ command }) => command.startsWith("sleep"))).toEqual([]);
    // What it waited for is there again.
    standIn(host, 'exec "$COLLECTOR" "$@"');
    await host.apply(config);
    await expectRuns(host, "after");
    expect(host.server.statusesOf(config)).toEqual(["APPLYING", "FAILED", "APPLYING", "APPLIED"]);
  });

  it("that refers to a file which never ends does not stop the supervisor", async () => {
    const agent = { probation: "1ms", validate_config: false, config_apply_timeout: "1s" };
    const host = await supervisorHost({ agent });
    await host.startHealthy();
    await host.apply(named(host, "before"));
    const pipe = join(host.dir, "pipe");
    execFileSync("mkfifo", [pipe]);
    const config = host.server.offer(waitingFor(host, `$\{file:${pipe}}`));
    await host.server.until("FAILED", () => lastStatusOf(host, config) === "FAILED");
    await expectRuns(host, "before");
    const later = await host.apply(named(host, "later"));
    await expectRuns(host, "later");
    expect(host.server.statusesOf(later)).toEqual(["APPLYING", "APPLIED"]);
  });
});

describe("a configuration that would cut the supervisor off", () => {
  it.each([
    ["the address of its link", { server: { ws: { endpoint: "ws://127.0.0.1:1/v1/opamp" } } }],
    [
      "the headers of its link",
      { server: { ws: { headers: { "X-OpAMP-Supervisor-Change": "0", Authorization: "no" } } } },
    ],
    ["another transport", { server: { http: { endpoint: "http://127.0.0.1:1/v1/opamp" } } }],
    ["nothing", null],
  ])("by setting extensions.opamp to %s does not", async (_what, opamp) => {
    const host = await supervisorHost({ agent: { probation: "1ms", config_apply_timeout: "2s" } });
    await host.startHealthy();
    await host.apply(named(host, "before"));
    const pipeline = host.pipeline({ telemetry: { resource: { generation: "after" } } });
    const config = remoteConfig({ "": { ...pipeline, extensions: { opamp } } });
    host.server.offer(config);
    const { status } = await host.server.verdict(config);
    // Refused or overruled: either way the Collector that runs is ours, and the next offer reaches it.
    await expectRuns(host, status === 1 ? "after" : "before");
    const later = await host.apply(named(host, "later"));
    await expectRuns(host, "later");
    expect(host.server.statusesOf(later)).toEqual(["APPLYING", "APPLIED"]);
  });

  it("by leaving the extension out of service.extensions does not", async () => {
    const host = await supervisorHost({ agent: { probation: "1ms", config_apply_timeout: "2s" } });
    await host.startHealthy();
    const pipeline = host.pipeline({ telemetry: { resource: { generation: "after" } } });
    const without = remoteConfig({ "": { ...pipeline, service: { ...pipeline.service, extensions: [] } } });
    await host.apply(without);
    await expectRuns(host, "after");
    expect(host.server.statusesOf(without)).toEqual(["APPLYING", "APPLIED"]);
  });
});
