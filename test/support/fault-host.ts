import { execFileSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  closeSync,
  mkdirSync,
  openSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { errorCode } from "../../src/foundation/errors.ts";
import type { AgentRemoteConfig } from "../../src/opamp/messages.ts";
import type { Step } from "../../src/supervisor/change/change.ts";
import { collectorBinary } from "./collector.ts";
import { eventually } from "./eventually.ts";
import { freePort } from "./free-port.ts";
import type { LaunchedProcess } from "./launched-process.ts";
import { remoteConfig } from "./recording-opamp-server.ts";
import type { PipelineOptions, SupervisorHost } from "./supervisor-host.ts";

const preload = fileURLToPath(new URL("fault-preload.cjs", import.meta.url));

/** Where a supervisor is to send itself a signal. */
export type Fault =
  /** As soon as the journal names this step. */
  | { step: Step; signal: NodeJS.Signals }
  /** After the nth file that it has replaced since a change was begun, or since it wrote `since`, counted from 1. */
  | { write: number; since?: string; signal: NodeJS.Signals };

/**
 * Starts a supervisor that gets a signal where {@link setFault} says. The environment is always the same, so
 * that one supervisor adopts the Collector of another.
 */
export function startFaulty(host: SupervisorHost): Promise<LaunchedProcess> {
  return host.start({ NODE_OPTIONS: `--require=${preload}`, OPAMP_TEST_FAULT: faultFile(host) });
}

/** Of the supervisors started by {@link startFaulty}, from now on. */
function setFault(host: SupervisorHost, fault: Fault): void {
  writeFileSync(faultFile(host), JSON.stringify(fault));
}

export function clearFault(host: SupervisorHost): void {
  rmSync(faultFile(host));
}

const faultFile = (host: SupervisorHost) => join(host.dir, "fault.json");

/** A pipeline that tells from others: the effective configuration has `name` in it. */
export function named(host: SupervisorHost, name: string, options: PipelineOptions = {}): AgentRemoteConfig {
  return host.remotePipeline({
    ...options,
    telemetry: { resource: { generation: name }, ...options.telemetry },
  });
}

/**
 * A valid pipeline that starts, gets healthy, and panics in a goroutine of its own `afterMs` after the first
 * record: a sum that overflows in the Substring function of 0.149.
 */
export function dying(host: SupervisorHost, afterMs: number): AgentRemoteConfig {
  const pipeline = host.pipeline();
  const statements = ['set(log.attributes["x"], Substring(log.body, 1, 9223372036854775807))'];
  return remoteConfig({
    "": {
      ...pipeline,
      processors: { batch: { timeout: `${afterMs}ms` }, transform: { log_statements: statements } },
      service: {
        ...pipeline.service,
        pipelines: { logs: { ...pipeline.service.pipelines.logs, processors: ["batch", "transform"] } },
      },
    },
  });
}

export interface SlowSource {
  /** For a value of the configuration. */
  reference: string;
  /** Resolves when a start waits for it. */
  asked: Promise<void>;
  /** Lets the start go on. */
  release(): void;
}

/**
 * Answers the `http` provider of a Collector's configuration: the first time, which is the check, at once, and
 * the start only when the test says so. A start that is really slow, or hangs.
 */
export async function slowSource(): Promise<SlowSource> {
  let requests = 0;
  let released = false;
  const waiting: ServerResponse[] = [];
  const { promise: asked, resolve } = Promise.withResolvers<void>();
  const server = createServer((_request, response) => {
    requests += 1;
    if (requests === 1 || released) {
      response.end("slow");
      return;
    }
    waiting.push(response);
    resolve();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(async () => {
    server.close();
    server.closeAllConnections();
  });
  return {
    reference: `$\{http://127.0.0.1:${(server.address() as AddressInfo).port}/name}`,
    asked,
    release() {
      released = true;
      for (const response of waiting) response.end("slow");
    },
  };
}

/** A configuration that a check passes and a start does not: its port is another's until the test ends. */
export async function portTaken(host: SupervisorHost, name: string): Promise<AgentRemoteConfig> {
  const port = await freePort();
  const other = createServer().listen(port, "127.0.0.1");
  await once(other, "listening");
  onTestFinished(() => void other.close());
  return named(host, name, { port });
}

/** Gives the host a fallback of its own, with the generation "fallback"; resolves to the port that it takes data on. */
export async function addFallback(host: SupervisorHost): Promise<number> {
  const port = await freePort();
  const telemetry = { resource: { generation: "fallback" } };
  host.writeConfigFile("fallback.yaml", host.pipeline({ port, telemetry }));
  await host.writeSettings({ startup_fallback_configs: [join(host.dir, "fallback.yaml")] });
  return port;
}

/** Has the Collector run the configuration "before", and the supervisor get a signal at `fault` from then on. */
export async function startBefore(host: SupervisorHost, fault: Fault): Promise<LaunchedProcess> {
  const supervisor = await startFaulty(host);
  await host.server.reported("health", ({ healthy }) => healthy);
  await host.apply(named(host, "before"));
  await host.server.until("healthy", () => host.server.state?.health?.healthy);
  setFault(host, fault);
  return supervisor;
}

/** Kills every Collector of the host, as a machine does that is switched off. */
export async function killCollectors(host: SupervisorHost): Promise<void> {
  for (const pid of await allCollectors(host)) process.kill(pid, "SIGKILL");
  await eventually("no Collector is left", async () => (await allCollectors(host)).length === 0);
}

/** Has the server offer `config` as servers do: now, and whenever the agent's status is about another one. */
export function offerAsAServer(host: SupervisorHost, config: AgentRemoteConfig): void {
  const { server } = host;
  server.answer = ({ message: { remoteConfigStatus } }) => {
    if (remoteConfigStatus === undefined) return {};
    const known = Buffer.compare(remoteConfigStatus.lastRemoteConfigHash, config.configHash) === 0;
    return known ? {} : { remoteConfig: config };
  };
  server.offer(config);
}

/** The last status that was said of a configuration. */
export function lastStatusOf(host: SupervisorHost, config: AgentRemoteConfig): string | undefined {
  return host.server.statusesOf(config).at(-1);
}

export async function isOnProbation(host: SupervisorHost): Promise<boolean> {
  return (JSON.parse(await host.readState("configuration_book.json")) as { onProbation: boolean })
    .onProbation;
}

/** A script that stands in for the Collector; `$COLLECTOR` is the real one. Give `exec` what should run. */
export function standIn(host: SupervisorHost, script: string): string {
  const path = join(host.dir, "stand-in");
  writeFileSync(path, `#!/bin/sh\nCOLLECTOR=${collectorBinary()}\n${script}\n`);
  chmodSync(path, 0o755);
  return path;
}

/** Live Collectors of this host, also those that read a snapshot because nothing could be installed. */
export async function allCollectors(host: SupervisorHost): Promise<number[]> {
  const running = await host.group.alive();
  return running
    .filter(
      ({ command }) => command.includes(`--config ${host.stateDir}/`) && !command.includes(" validate "),
    )
    .map(({ pid }) => pid);
}

/** Resolves to its pid when exactly one Collector runs and it is the one on record. */
export function theOneCollector(host: SupervisorHost): Promise<number> {
  return eventually("exactly one Collector runs, the one on record", async () => {
    const pids = await allCollectors(host);
    if (pids.length !== 1) throw new Error(`these run: ${pids.join(", ")}`);
    return pids[0] === host.collectorPid() ? pids[0] : undefined;
  });
}

/** Waits until the server sees that `name` runs, and that data flows, through exactly one Collector. */
export async function expectRuns(host: SupervisorHost, name: string): Promise<void> {
  await host.server.until(`${name} is effective`, () =>
    host.server.effectiveText.includes(`generation: ${name}`),
  );
  await host.server.until("healthy", () => host.server.state?.health?.healthy === true);
  await theOneCollector(host);
  await host.expectDataFlows();
}

/** What can befall the disk of the state directory. */
export interface SmallDisk {
  fill(): void;
  empty(): void;
  readOnly(): void;
  writable(): void;
}

/** Mounts a small file system over the state directory until the test ends. Needs root. */
export function mountSmallState(host: SupervisorHost, size = "1m"): SmallDisk {
  const readOnlyView = join(host.dir, "read-only");
  const filler = join(host.stateDir, "filler");
  const mounted: string[] = [];
  const mountAt = (path: string, args: string[]) => {
    mount([...args, path]);
    mounted.push(path);
  };
  mountAt(host.stateDir, ["-t", "tmpfs", "-o", `size=${size},mode=0700`, "tmpfs"]);
  onTestFinished(async () => {
    await host.group.stop();
    for (const path of mounted.toReversed()) execFileSync("umount", ["-l", path]);
  });
  return {
    // Until nothing fits any more: the supervisor writes at the same time, so what is free cannot be counted.
    fill() {
      const file = openSync(filler, "w");
      try {
        for (;;) writeSync(file, Buffer.alloc(4096));
      } catch (error) {
        if (errorCode(error) !== "ENOSPC") throw error;
      } finally {
        closeSync(file);
      }
    },
    empty: () => truncateSync(filler),
    // A second mount over the first: the Collector's open log would keep that one from being made read-only. It
    // is made elsewhere, where the supervisor cannot open a file before it is read-only.
    readOnly() {
      mkdirSync(readOnlyView);
      mountAt(readOnlyView, ["--bind", host.stateDir]);
      mount(["-o", "remount,bind,ro", readOnlyView]);
      mountAt(host.stateDir, ["--bind", readOnlyView]);
    },
    writable() {
      execFileSync("umount", ["-l", host.stateDir]);
      mounted.pop();
    },
  };
}

function mount(args: string[]): void {
  try {
    execFileSync("mount", args, { stdio: "pipe" });
  } catch (cause) {
    const why = String((cause as { stderr?: unknown }).stderr).trim();
    const message = `this test mounts file systems: run it as root, or with CAP_SYS_ADMIN (${why})`;
    throw new Error(message, { cause });
  }
}
