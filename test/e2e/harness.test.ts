import { once } from "node:events";
import { existsSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { collectorBinary } from "../support/collector.ts";
import { eventually } from "../support/eventually.ts";
import { freePort, freePorts } from "../support/free-port.ts";
import { startOtlpSender } from "../support/otlp-sender.ts";
import { OtlpSink } from "../support/otlp-sink.ts";
import { processGroup } from "../support/processes.ts";
import { makeTempDir, tempDir } from "../support/temp-dir.ts";

const ready = (line: { msg?: unknown }) => String(line.msg).startsWith("Everything is ready");

/** YAML is a superset of JSON. */
function writeConfig(dir: string, port: number, exporter: object): string {
  const path = join(dir, "collector.yaml");
  const config = {
    receivers: { otlp: { protocols: { http: { endpoint: `127.0.0.1:${port}` } } } },
    exporters: { otlphttp: { ...exporter, retry_on_failure: { initial_interval: "50ms" } } },
    service: {
      telemetry: { logs: { encoding: "json" }, metrics: { level: "none" } },
      pipelines: {
        logs: { receivers: ["otlp"], exporters: ["otlphttp"] },
        traces: { receivers: ["otlp"], exporters: ["otlphttp"] },
      },
    },
  };
  writeFileSync(path, JSON.stringify(config));
  return path;
}

async function sink(): Promise<OtlpSink> {
  const started = await OtlpSink.start();
  onTestFinished(() => started[Symbol.asyncDispose]());
  return started;
}

describe("records through a real Collector", () => {
  it.each(["logs", "traces"] as const)("counts every %s record that was accepted", async (signal) => {
    const { http } = await freePorts("http");
    const backend = await sink();
    const group = processGroup();
    const collector = await group.launch(collectorBinary(), [
      "--config",
      writeConfig(tempDir(), http, backend.exporter),
    ]);
    await collector.waitFor(ready);
    const sender = startOtlpSender({ endpoint: `http://127.0.0.1:${http}`, signal, everyMs: 5 });
    await sender.accepted();
    await sender.accepted();
    const { accepted, refused } = await sender.stop();
    await backend.waitFor(accepted);
    expect(refused).toEqual([]);
    expect(accepted.length).toBeGreaterThanOrEqual(2);
    expect([...backend.received.keys()].toSorted((a, b) => a - b)).toEqual(accepted);
    expect((await collector.kill("SIGTERM")).code).toBe(0);
  });

  it("tells refused records from accepted ones while nobody listens", async () => {
    const { http } = await freePorts("http");
    const backend = await sink();
    const config = writeConfig(tempDir(), http, backend.exporter);
    const group = processGroup();
    const sender = startOtlpSender({ endpoint: `http://127.0.0.1:${http}`, everyMs: 5 });
    const collector = await group.launch(collectorBinary(), ["--config", config]);
    const first = await sender.accepted();
    await collector.kill("SIGKILL");
    await group.launch(collectorBinary(), ["--config", config]);
    await sender.accepted();
    const { results, refused, longestGapMs } = await sender.stop();
    expect(results[0]).toMatchObject({ number: 0, accepted: false, outcome: "ECONNREFUSED" });
    expect(refused.some((number) => number > first.number)).toBe(true);
    expect(longestGapMs).toBeGreaterThan(5);
  });

  it("counts what comes after the backend refused for a while", async () => {
    const { http } = await freePorts("http");
    const backend = await sink();
    backend.refuseWith = 503;
    const group = processGroup();
    const collector = await group.launch(collectorBinary(), [
      "--config",
      writeConfig(tempDir(), http, backend.exporter),
    ]);
    await collector.waitFor(ready);
    const sender = startOtlpSender({ endpoint: `http://127.0.0.1:${http}`, everyMs: 20 });
    await sender.accepted();
    const { accepted } = await sender.stop();
    expect(backend.received.size).toBe(0);
    backend.refuseWith = undefined;
    await backend.waitFor(accepted);
  });
});

describe("processes", () => {
  it("finds a detached grandchild, and kills it where a test says so", async () => {
    const group = processGroup({ leftBehind: "kill" });
    const parent = await group.launch("/bin/sh", ["-c", "setsid sleep 1000 & echo started; wait"]);
    await parent.waitFor((line) => line.text === "started");
    await eventually("the grandchild runs", async () =>
      (await group.alive()).some(({ command }) => command === "sleep 1000"),
    );
    expect((await parent.kill("SIGKILL")).signal).toBe("SIGKILL");
    expect((await group.alive()).map(({ command }) => command)).toEqual(["sleep 1000"]);
  });

  it("complains about a process that is left behind, and kills it", async () => {
    const group = processGroup();
    const parent = await group.launch("/bin/sh", ["-c", "setsid sleep 1000 & echo started; wait"]);
    await parent.waitFor((line) => line.text === "started");
    await eventually("the grandchild runs", async () =>
      (await group.alive()).some(({ command }) => command === "sleep 1000"),
    );
    await expect(group.stop()).rejects.toThrow(/left process \d+ behind: sleep 1000/);
    expect(await group.alive()).toEqual([]);
  });

  it("rejects a wait as soon as the program has ended, with its output", async () => {
    const program = await processGroup().launch("/bin/sh", [
      "-c",
      `echo '{"event":"one"}'; echo two; exit 3`,
    ]);
    await expect(program.waitFor("one")).resolves.toEqual({ event: "one" });
    await expect(program.waitFor("never")).rejects.toThrow(/ended with 3[\s\S]*two/);
    expect(await program.exited).toEqual({ code: 3, signal: null });
  });
});

describe("temp dirs and ports", () => {
  it("removes a temp dir with all that is in it", () => {
    const dir = makeTempDir();
    writeFileSync(join(dir.path, "file"), "");
    dir[Symbol.dispose]();
    expect(existsSync(dir.path)).toBe(false);
  });

  it("never hands out a port twice, and each can be bound", async () => {
    const ports = await Promise.all(Array.from({ length: 50 }, () => freePort()));
    expect(new Set(ports).size).toBe(50);
    const server = createServer().listen(ports[0], "127.0.0.1");
    await once(server, "listening");
    server.close();
  });
});
