import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { launcher, type SupervisorHost, supervisorHost } from "../../support/supervisor-host.ts";

async function goMemLimit(host: SupervisorHost): Promise<string | undefined> {
  const environment = readFileSync(`/proc/${await host.onlyCollector()}/environ`, "utf8").split("\0");
  return environment.find((entry) => entry.startsWith("GOMEMLIMIT="));
}

describe("agent.memory_limit", () => {
  it("is told to the Collector's runtime, shown in the status, and takes effect with the next start", async () => {
    const host = await supervisorHost();
    await host.startHealthy();
    expect(await goMemLimit(host)).toBeUndefined();
    await host.writeSettings({ memory_limit: "256MiB" });
    const from = host.server.mark;
    const supervisor = await host.restart();
    await host.server.reported("health", ({ status, healthy }) => healthy && status !== "adopted", from);
    const line = await supervisor.waitFor("memory_limit");
    expect(line).toMatchObject({ bytes: 268_435_456, gomemlimit: "230MiB" });
    expect(await goMemLimit(host)).toBe("GOMEMLIMIT=230MiB");
    const status = await host.group.launch(launcher, ["status", "--config", host.settingsPath]);
    await status.exited;
    expect(status.tail()).toContain("at most 256 MiB, GOMEMLIMIT 230MiB");
  });

  it("leaves a GOMEMLIMIT of agent.env alone", async () => {
    const host = await supervisorHost({ agent: { memory_limit: "256MiB", env: { GOMEMLIMIT: "100MiB" } } });
    await host.startHealthy();
    expect(await goMemLimit(host)).toBe("GOMEMLIMIT=100MiB");
  });
});
