import { watch } from "node:fs";
import { describe, expect, it, onTestFinished } from "vitest";
import { offerOf, verdictOn } from "../../support/connection-offers.ts";
import { eventually } from "../../support/eventually.ts";
import { type SupervisorHost, supervisorHost } from "../../support/supervisor-host.ts";

/** What changes in the state directory from now on; agent.log is the Collector's. */
function changes(host: SupervisorHost): string[] {
  const seen: string[] = [];
  const watcher = watch(host.stateDir, { recursive: true }, (_type, name) => {
    if (name !== null && !name.startsWith("agent.log")) seen.push(name);
  });
  onTestFinished(() => watcher.close());
  return seen;
}

describe("a supervisor with nothing to do", () => {
  it("writes no file, neither with heartbeats nor without a server", async () => {
    const host = await supervisorHost({
      agent: { probation: "1ms" },
      capabilities: { accepts_opamp_connection_settings: true },
    });
    const supervisor = await host.startHealthy();
    await host.apply(host.remotePipeline());
    host.server.push(offerOf(1, { heartbeatIntervalSeconds: 1n }));
    await verdictOn(host.server, 1);
    await host.server.until("healthy", () => host.server.state?.health?.healthy);
    await eventually("nothing is under way", async () => {
      const files = ["journal.json", "connection_journal.json", "connection_candidate.json"];
      const contents = await Promise.all(files.map((file) => host.readState(file).catch(() => "null\n")));
      const book = JSON.parse(await host.readState("configuration_book.json")) as { onProbation: boolean };
      return contents.every((content) => content === "null\n") && !book.onProbation;
    });

    const seen = changes(host);
    const from = host.server.mark;
    await host.server.until("four heartbeats", () => host.server.mark >= from + 4);
    expect(seen).toEqual([]);

    await host.server[Symbol.asyncDispose]();
    await supervisor.waitFor(({ event, attempt }) => event === "server_connection_failed" && attempt === 2);
    expect(seen).toEqual([]);

    // It would have seen something.
    process.kill(await host.onlyCollector(), "SIGKILL");
    await eventually("a restart is written down", async () => seen.includes("crashes.json"));
  });
});
