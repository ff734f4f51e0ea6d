import { describe, expect, it } from "vitest";
import { ServerToAgentFlag } from "../../../src/opamp/bits.ts";
import { CommandType } from "../../../src/opamp/gen/opamp/v1/opamp_pb.js";
import { supervisorHost } from "../../support/supervisor-host.ts";

const restart = { command: { type: CommandType.CommandType_Restart } };

const reloadModes = [
  ["reload", {}],
  ["restart", { use_hup_config_reload: false }],
] as const;

describe("a restart command", () => {
  it.each(reloadModes)(
    "gives a new process that is healthy on the same configuration, mode %s",
    async (_mode, agent) => {
      const host = await supervisorHost({ agent });
      const supervisor = await host.startHealthy();
      const config = await host.apply(host.remotePipeline());
      const pid = host.collectorPid();
      const from = host.server.mark;
      host.server.push(restart);
      const line = await supervisor.waitFor("collector_restarted");
      expect(line).toMatchObject({
        level: "info",
        reason: "command of the server",
        duration_ms: expect.any(Number),
      });
      await host.server.reported("health", ({ healthy }) => !healthy, from);
      await host.server.until("healthy again", () => host.server.state?.health?.healthy);
      expect(host.collectorPid()).not.toBe(pid);
      await host.onlyCollector();
      await host.expectDataFlows();
      // Nothing was configured, so there is nothing to say about a configuration.
      expect(host.server.statusesOf(config, from)).toEqual([]);
    },
  );

  it("is ignored without the capability", async () => {
    const host = await supervisorHost({ capabilities: { accepts_restart_command: false } });
    const supervisor = await host.startHealthy();
    await host.apply(host.remotePipeline());
    const pid = host.collectorPid();
    const from = host.server.mark;
    host.server.push(restart);
    // What comes after it is answered, so it was read.
    host.server.push({ flags: ServerToAgentFlag.ReportFullState });
    await host.server.reported("agentDescription", () => true, from);
    await host.apply(host.remotePipeline({ statements: ['set(log.attributes["a"], 1)'] }));
    expect(host.collectorPid()).toBe(pid);
    expect(supervisor.lines.filter(({ event }) => event === "collector_restarted")).toEqual([]);
  });
});
