import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { collectorBinary } from "../../support/collector.ts";
import { type SupervisorHost, supervisorHost } from "../../support/supervisor-host.ts";

function script(host: SupervisorHost, name: string, lines: string[], mode = 0o755): string {
  const path = join(host.dir, name);
  writeFileSync(path, [...lines, ""].join("\n"));
  chmodSync(path, mode);
  return path;
}

/** Starts a supervisor that is to give up, and resolves to why. */
async function whyItGivesUp(host: SupervisorHost, executable: string): Promise<string> {
  await host.writeSettings({ executable });
  const supervisor = await host.start();
  expect(await supervisor.exited).toEqual({ code: 1, signal: null });
  expect(await host.collectors()).toEqual([]);
  const { error } = supervisor.lines.find(({ event }) => event === "start_failed")!;
  expect(supervisor.lines.some(({ text }) => text === `failed to start supervisor: ${String(error)}`)).toBe(
    true,
  );
  return String(error);
}

describe("an executable that is no Collector to be managed", () => {
  it("without the opamp extension is named, with what to install", async () => {
    const host = await supervisorHost();
    const executable = script(host, "otelcol-without-opamp", [
      "#!/bin/sh",
      // Its lists, without the extension.
      `'${collectorBinary()}' "$@" 2>&1 | sed -e '/name: opamp/,$d' -e 's/opamp//g'`,
    ]);
    const why = await whyItGivesUp(host, executable);
    expect(why).toContain(executable);
    expect(why).toMatch(/no opamp extension/);
    expect(why).toMatch(/install a build that has it/);
  });

  it("such as /bin/true is named, with what to set", async () => {
    const why = await whyItGivesUp(await supervisorHost(), "/bin/true");
    expect(why).toMatch(/^\/bin\/true .*not an OpenTelemetry Collector.*agent\.executable/s);
  });

  it("such as a text file is named, with what to set", async () => {
    const host = await supervisorHost();
    const executable = script(host, "notes.txt", ["This is no program."]);
    const why = await whyItGivesUp(host, executable);
    expect(why).toContain(executable);
    expect(why).toMatch(/not an executable|cannot execute|no program|not a program|agent\.executable/);
  });

  it("such as a file that may not be executed is named, with what to do", async () => {
    const host = await supervisorHost();
    const executable = script(host, "otelcol", ["#!/bin/sh"], 0o644);
    const why = await whyItGivesUp(host, executable);
    expect(why).toContain(executable);
    expect(why).toMatch(/chmod|execut/);
  });

  it("does not keep a configuration that once ran from running", async () => {
    const host = await supervisorHost();
    // Says nothing about itself, but runs.
    const executable = script(host, "otelcol-mute", [
      "#!/bin/sh",
      'case "$1" in components|featuregate) exit 1 ;; esac',
      `exec '${collectorBinary()}' "$@"`,
    ]);
    const first = await host.startHealthy();
    await host.apply(host.remotePipeline());
    await first.kill("SIGTERM");
    await host.writeSettings({ executable });
    const second = await host.startHealthy();
    expect(second.lines.find(({ event }) => event === "collector_not_identified")).toMatchObject({
      level: "error",
    });
    await host.expectDataFlows();
  });
});
