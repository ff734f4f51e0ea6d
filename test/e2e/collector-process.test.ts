import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { WebSocketServer } from "ws";
import { silentLogger } from "../../src/foundation/logger.ts";
import {
  AgentToServerSchema,
  type AvailableComponents,
  ServerToAgentSchema,
} from "../../src/opamp/messages.ts";
import { AgentLog } from "../../src/supervisor/collector/agent-log.ts";
import { type IdentifiedBinary, identifyBinary } from "../../src/supervisor/collector/binary.ts";
import { availableComponents } from "../../src/supervisor/collector/binary-available-components.ts";
import {
  adoptCollector,
  type CollectorProcess,
  describeExit,
  type ProcessIdentity,
  spawnCollector,
} from "../../src/supervisor/collector/process.ts";
import { readProcess } from "../../src/supervisor/collector/process-identity.ts";
import { checkRunAs, missingCapabilities } from "../../src/supervisor/collector/run-as.ts";
import { validateConfiguration } from "../../src/supervisor/collector/validate.ts";

const executable = process.env.OTELCOL ?? "";

let directory: string;
let log: AgentLog;
const pids: number[] = [];

beforeEach(async () => {
  if (executable === "")
    throw new Error("set OTELCOL to the path of a Collector 0.149 built from fixtures/collector");
  directory = await mkdtemp(join(tmpdir(), "collector-process-"));
  log = new AgentLog({ path: join(directory, "agent.log"), logger: silentLogger });
});

afterEach(async () => {
  await log?.close();
  for (const pid of pids.splice(0)) {
    try {
      process.kill(-pid, "SIGKILL");
    } catch {
      // Gone, as it should be.
    }
  }
  if (directory !== undefined) await rm(directory, { recursive: true });
});

const ready = "Everything is ready";

async function writeConfig(name: string, receiver: string, extra = ""): Promise<string> {
  const path = join(directory, name);
  await writeFile(
    path,
    `receivers: {${receiver}: {}}
exporters: {nop: {}}
${extra}
service:
  extensions: [${extra === "" ? "" : "opamp"}]
  pipelines: {traces: {receivers: [${receiver}], exporters: [nop]}}
  telemetry: {metrics: {level: none}, logs: {encoding: json}}
`,
  );
  return path;
}

async function start(config: string): Promise<CollectorProcess> {
  const logFd = await log.openForAppend();
  const started = await spawnCollector({ executable, args: ["--config", config], env: process.env, logFd });
  await log.release(logFd);
  pids.push(started.pid);
  return started;
}

/** Resolves with the first new line that holds `text`. */
async function logged(text: string, action: () => unknown): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const follower = await log.follow((line) => {
    if (line.includes(text)) resolve(line);
  });
  await action();
  const line = await promise;
  await follower.close();
  return line;
}

describe("identifyBinary", () => {
  const identify = () =>
    identifyBinary({
      executable,
      env: process.env,
      timeoutMs: 10_000,
      cachePath: join(directory, "cache.json"),
    });

  it("knows a real Collector, and all its components", async () => {
    const found = (await identify()) as IdentifiedBinary;
    expect(found).toMatchObject({
      identified: true,
      path: executable,
      command: "otelcol-demo",
      supportsNoPipelines: true,
    });
    expect(found.version).toMatch(/^0\.149\.\d+/);
    const names = (kind: keyof typeof found.components) => found.components[kind].map(({ name }) => name);
    expect(names("extensions")).toContain("opamp");
    expect(names("receivers")).toContain("nop");
    // The `components` command leaves these out, since they have a deprecated alias.
    expect(names("exporters")).toEqual(expect.arrayContaining(["otlp", "otlp_http", "debug"]));
    expect(found.components.receivers).toContainEqual({
      name: "nop",
      module: expect.stringMatching(/^go\.opentelemetry\.io\/collector\/receiver\/nopreceiver v/) as string,
    });
  });

  it("asks only once for each version of the file", async () => {
    const first = await identify();
    const cache = join(directory, "cache.json");
    // An answer that only the cache can have given.
    await writeFile(
      cache,
      (await readFile(cache, "utf8")).replace('"command":"otelcol-demo"', '"command":"cached"'),
    );
    expect(await identify()).toEqual({ ...first, command: "cached" });
    await writeFile(cache, "damaged");
    expect(await identify()).toEqual(first);
    expect(JSON.parse(await readFile(cache, "utf8"))).toMatchObject({
      binaries: [{ command: "otelcol-demo" }],
    });
  });

  it("AX1: names the same components as the opamp extension reports", async () => {
    const predicted = availableComponents((await identify()) as IdentifiedBinary);
    const reported = await componentsReported();
    const names = (message: AvailableComponents) =>
      Object.entries(message.components).map(([kind, { subComponentMap }]) => [
        kind,
        Object.keys(subComponentMap).sort(),
      ]);
    expect(Object.fromEntries(names(predicted))).toEqual(Object.fromEntries(names(reported)));
    const modules = (message: AvailableComponents) =>
      Object.entries(message.components).flatMap(([kind, { subComponentMap }]) =>
        Object.entries(subComponentMap).flatMap(([name, { metadata }]) =>
          metadata.map(({ key, value }) => [kind, name, key, JSON.stringify(value?.value.value)].join(" ")),
        ),
      );
    expect(modules(reported)).toEqual(expect.arrayContaining(modules(predicted)));
  });

  it("AX2: computes the extension's own hash once every module is known", async () => {
    const binary = (await identify()) as IdentifiedBinary;
    const reported = await componentsReported();
    const kinds = Object.keys(binary.components) as (keyof typeof binary.components)[];
    const known = kinds.map((kind) => [
      kind,
      binary.components[kind].map(({ name }) => {
        const value = reported.components[kind]?.subComponentMap[name]?.metadata[0]?.value?.value;
        return { name, module: value?.case === "stringValue" ? value.value : undefined };
      }),
    ]);
    const complete = { ...binary, components: Object.fromEntries(known) as IdentifiedBinary["components"] };
    expect(Buffer.from(availableComponents(complete).hash)).toEqual(Buffer.from(reported.hash));
  });
});

/** What a Collector's own opamp extension reports to a server that asks for its components. */
async function componentsReported(): Promise<AvailableComponents> {
  const http: Server = createServer();
  const sockets = new WebSocketServer({ server: http });
  http.listen(0, "127.0.0.1");
  await once(http, "listening");
  const { promise, resolve } = Promise.withResolvers<AvailableComponents>();
  sockets.on("connection", (socket) => {
    socket.on("message", (data: Buffer) => {
      const { instanceUid, availableComponents: components } = fromBinary(
        AgentToServerSchema,
        data.subarray(1),
      );
      if (components !== undefined && Object.keys(components.components).length > 0) resolve(components);
      // ReportAvailableComponents (AS5).
      const reply = toBinary(ServerToAgentSchema, create(ServerToAgentSchema, { instanceUid, flags: 2n }));
      socket.send(Buffer.concat([Buffer.of(0), reply]));
    });
  });
  const endpoint = `ws://127.0.0.1:${(http.address() as AddressInfo).port}/v1/opamp`;
  const server = `{ws: {endpoint: "${endpoint}", tls: {insecure: true}}}`;
  const extension = `{server: ${server}, capabilities: {reports_available_components: true}}`;
  const collector = await start(await writeConfig("opamp.yaml", "nop", `extensions: {opamp: ${extension}}`));
  try {
    return await promise;
  } finally {
    await collector.stop({ graceMs: 10_000 });
    for (const socket of sockets.clients) socket.terminate();
    sockets.close();
    http.close();
  }
}

describe("a Collector process", () => {
  it("starts, is no wrapper, and stops with code 0", async () => {
    const config = await writeConfig("good.yaml", "nop");
    let started: CollectorProcess | undefined;
    await logged(ready, async () => {
      started = await start(config);
    });
    expect(started?.isWrapper()).toBe(false);
    expect(started?.checkAlive()).toBe(true);
    const exit = await started?.stop({ graceMs: 10_000 });
    expect(exit).toMatchObject({ code: 0, signal: null, requested: true, known: true });
    expect(await log.excerptSince(0)).toContain("Shutdown complete.");
  });

  it("takes a SIGHUP and lives", async () => {
    const config = await writeConfig("good.yaml", "nop");
    let started: CollectorProcess | undefined;
    await logged(ready, async () => {
      started = await start(config);
    });
    await logged(ready, () => expect(started?.signal("SIGHUP")).toBe(true));
    expect(started?.checkAlive()).toBe(true);
    await started?.stop({ graceMs: 10_000 });
  });

  it("is seen to be killed", async () => {
    const started = await start(await writeConfig("good.yaml", "nop"));
    process.kill(started.pid, "SIGKILL");
    const exit = await started.exited;
    expect(describeExit(exit)).toBe("killed by SIGKILL");
    expect(exit.requested).toBe(false);
  });

  it("says in its log why it could not start", async () => {
    const position = await log.position();
    const started = await start(await writeConfig("bad.yaml", "nopp"));
    expect(describeExit(await started.exited)).toBe("exit code 1");
    const excerpt = await log.excerptSince(position);
    expect(excerpt).toMatch(/^Error: failed to get config/);
    expect(excerpt).toContain(`'receivers' unknown type: "nopp"`);
  });

  it("runs as another user where this process may change user", async () => {
    const missing = missingCapabilities(await readFile("/proc/self/status", "utf8"));
    const check = await checkRunAs("nobody");
    expect(check.ok).toBe(missing.length === 0);
    if (!check.ok) return;
    const config = await writeConfig("good.yaml", "nop");
    await chmod(directory, 0o755);
    const logFd = await log.openForAppend();
    let started: CollectorProcess | undefined;
    await logged(ready, async () => {
      const { runAs } = check;
      started = await spawnCollector({
        executable,
        args: ["--config", config],
        env: process.env,
        logFd,
        runAs,
      });
      pids.push(started.pid);
    });
    await log.release(logFd);
    const status = await readFile(`/proc/${started?.pid}/status`, "utf8");
    expect(status).toMatch(new RegExp(`^Uid:\\s+${check.runAs.uid}\\s+${check.runAs.uid}\\s`, "m"));
    expect(status).toMatch(/^CapAmb:\s+0+$/m);
    expect(started?.isWrapper()).toBe(false);
    expect(await started?.stop({ graceMs: 10_000 })).toMatchObject({ code: 0, requested: true });
  });
});

describe("adoption", () => {
  it("finds the Collector of a supervisor that was killed, watches and stops it", async () => {
    const config = await writeConfig("good.yaml", "nop");
    const helper = fileURLToPath(new URL("../support/collector-parent.ts", import.meta.url));
    let parent: ChildProcess | undefined;
    let identity: ProcessIdentity | undefined;
    await logged(ready, async () => {
      parent = spawn(process.execPath, [helper, executable, config, log.path], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      const [line] = (await once(parent.stdout!, "data")) as [Buffer];
      identity = JSON.parse(line.toString()) as ProcessIdentity;
      pids.push(identity.pid);
    });
    parent!.kill("SIGKILL");
    await once(parent!, "exit");

    const adopted = adoptCollector(identity!)!;
    expect(adopted).toMatchObject({ adopted: true, pid: identity!.pid });
    expect(adopted.isWrapper()).toBe(false);
    // It still writes: its log never was a pipe to the dead parent.
    await logged(ready, () => expect(adopted.signal("SIGHUP")).toBe(true));
    expect(adoptCollector({ ...identity!, startTime: "another boot/1" })).toBeUndefined();

    const exit = await adopted.stop({ graceMs: 10_000 });
    expect(exit).toMatchObject({ requested: true, known: false });
    expect(describeExit(exit)).toBe("exit code unknown (adopted process)");
    expect(readProcess(identity!.pid)?.zombie ?? true).toBe(true);
    expect(await log.excerptSince(0)).toContain("Shutdown complete.");
  });
});

describe("validateConfiguration", () => {
  const validate = (configPath: string) =>
    validateConfiguration({ executable, configPath, args: [], env: process.env, timeoutMs: 10_000 });

  it("passes a good configuration", async () => {
    expect(await validate(await writeConfig("good.yaml", "nop"))).toEqual({ verdict: "valid" });
  });

  it("refuses a bad one, on one line that says why", async () => {
    const result = await validate(await writeConfig("bad.yaml", "nopp"));
    expect(result.verdict).toBe("invalid");
    const reason = result.verdict === "invalid" ? result.reason : "";
    expect(reason).toMatch(/^exit code 1: failed to get config: .*'receivers' unknown type: "nopp"/);
    expect(reason).not.toContain("\n");
  });

  it("needs the gate that the run has", async () => {
    const configPath = join(directory, "none.yaml");
    await writeFile(configPath, "extensions: {health_check: {}}\nservice: {extensions: [health_check]}\n");
    expect((await validate(configPath)).verdict).toBe("invalid");
    const featureGates = ["service.AllowNoPipelines"];
    const options = { executable, configPath, args: [], featureGates, env: process.env, timeoutMs: 10_000 };
    expect(await validateConfiguration(options)).toEqual({ verdict: "valid" });
  });
});
