import { chmod, copyFile, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { collectorBinary } from "../../support/collector.ts";
import { eventually } from "../../support/eventually.ts";
import { type SupervisorHost, supervisorHost } from "../../support/supervisor-host.ts";
import { tempDir } from "../../support/temp-dir.ts";

const isRoot = process.getuid?.() === 0;

/** A host whose Collector may be run by anybody: the cache of the built one may be closed to other users. */
async function openHost(agent: Record<string, unknown>): Promise<SupervisorHost> {
  const dir = tempDir();
  const executable = join(dir, "otelcol");
  await copyFile(collectorBinary(), executable);
  const host = await supervisorHost({ agent: { ...agent, executable } });
  await Promise.all([dir, host.dir].map((path) => chmod(path, 0o711)));
  return host;
}

describe("agent.run_as", () => {
  it.runIf(isRoot)(
    "runs the Collector as that user, who can read its configuration and nothing else",
    async () => {
      const host = await openHost({ run_as: "nobody" });
      await host.startHealthy();
      await host.apply(host.remotePipeline());
      const status = await readFile(`/proc/${host.collectorPid()}/status`, "utf8");
      expect(status).toMatch(/^Uid:\t65534\t65534\t65534/m);
      await host.expectDataFlows();
      const mode = async (name: string) => ((await stat(join(host.stateDir, name))).mode & 0o777).toString(8);
      expect(await mode("effective.yaml")).toBe("640");
      expect(await mode("local_link.json")).toBe("600");
    },
  );

  it.runIf(isRoot)(
    "with on_supervisor_exit: stop, that user's Collector ends with the supervisor",
    async () => {
      const host = await openHost({ run_as: "nobody", on_supervisor_exit: "stop" });
      await host.startHealthy();
      await host.onlyCollector();
      await host.kill("SIGKILL");
      await eventually("no Collector is left", async () => (await host.collectors()).length === 0);
    },
  );

  it("names a user that does not exist", async () => {
    const host = await supervisorHost({ agent: { run_as: "nobody-of-that-name" } });
    const supervisor = await host.start();
    const { code } = await supervisor.exited;
    expect(code).toBe(1);
    expect(supervisor.tail()).toContain("agent.run_as");
  });
});
