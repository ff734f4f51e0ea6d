import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { type PackageStatus, PackageStatusEnum, type PackagesAvailable } from "../../src/opamp/messages.ts";
import { collectorBinary, secondCollectorBinary } from "./collector.ts";
import { expectRuns, named } from "./fault-host.ts";
import type { OtlpSender, SendReport } from "./otlp-sender.ts";
import { PackageServer, type PackageSpec } from "./package-server.ts";
import type { RecordingOpampServer } from "./recording-opamp-server.ts";
import {
  type HostOptions,
  type PipelineOptions,
  type SupervisorHost,
  supervisorHost,
} from "./supervisor-host.ts";

/** A host that takes packages. */
export function takingPackages(options: HostOptions = {}): HostOptions {
  return {
    ...options,
    capabilities: { accepts_packages: true, reports_available_components: true, ...options.capabilities },
  };
}

/** A host that takes packages, what it runs before the first one, and the data that goes through it. */
export interface PackageHost {
  host: SupervisorHost;
  files: PackageServer;
  /** Of the Collector that runs before any package. */
  pid: number;
  sender: OtlpSender;
}

/** Its own Collector, 0.149.0, runs the configuration "before" out of probation, and records are being sent. */
export async function packageHost(
  options: HostOptions = {},
  pipeline: PipelineOptions = {},
): Promise<PackageHost> {
  const agent = { probation: "100ms", ...options.agent };
  const host = await supervisorHost(takingPackages({ ...options, agent }));
  const files = await PackageServer.start();
  await host.startHealthy();
  await host.apply(named(host, "before", pipeline));
  await host.server.until("healthy", () => host.server.state?.health?.healthy);
  const sender = host.send();
  await sender.accepted();
  return { host, files, pid: await host.onlyCollector(), sender };
}

/** Offers one top-level package. */
export async function offerProgram({ host, files }: Pick<PackageHost, "host" | "files">, spec: PackageSpec) {
  const offer = await files.offer({ "": spec });
  pushPackages(host, offer);
  return offer;
}

export function pushPackages(host: SupervisorHost, packagesAvailable: PackagesAvailable): void {
  host.server.push({ packagesAvailable });
}

/** The second build of the Collector. */
export const secondProgram = (): PackageSpec => ({ file: secondCollectorBinary(), version: "2.0" });

/**
 * A script that stands in for a Collector that went bad; `$COLLECTOR` is the real second build, `$DIR` the host's
 * directory. It is whatever the script makes of it where `$1` is `--config`, and the real one for every other command.
 */
export function scriptedProgram(host: SupervisorHost, name: string, script: string): PackageSpec {
  const path = join(host.dir, name);
  const head = `#!/bin/sh\nCOLLECTOR=${secondCollectorBinary()}\nDIR=${host.dir}\n`;
  writeFileSync(path, `${head}case "$1" in\n${script}\nesac\nexec "$COLLECTOR" "$@"\n`);
  chmodSync(path, 0o755);
  return { file: path, version: name };
}

/** Part of a script: runs the real one until `$DIR/NAME` is there, then ends with 3 as a crash would. */
export function crashesWhen(name: string): string {
  return `--config)
  "$COLLECTOR" "$@" &
  pid=$!
  trap 'kill $pid; wait $pid; exit 0' TERM
  while [ ! -e "$DIR/${name}" ]; do sleep 0.05; done
  kill -9 $pid
  wait $pid
  exit 3;;`;
}

/** A copy of the host's Collector, after `edit` of its bytes. */
export function editedProgram(
  host: SupervisorHost,
  name: string,
  edit: (bytes: Buffer) => Buffer,
): PackageSpec {
  const path = join(host.dir, name);
  writeFileSync(path, edit(readFileSync(collectorBinary())), { mode: 0o755 });
  return { file: path, version: name };
}

/** What the server was told of a package, in order and without repetitions: `Installed 2.0`, `InstallFailed: why`. */
export function storyOf(server: RecordingOpampServer, name: string, from = 0): string[] {
  const told = server.received.slice(from).flatMap(({ message }) => {
    const status = message.packageStatuses?.packages[name];
    return status === undefined ? [] : [describe(status)];
  });
  return told.filter((text, index) => text !== told[index - 1]);
}

function describe({ status, agentHasVersion, errorMessage }: PackageStatus): string {
  const name = PackageStatusEnum[status].replace("PackageStatusEnum_", "");
  if (name === "InstallFailed") return `${name}: ${errorMessage.split("\n", 1)[0]}`;
  return name === "Installed" ? `${name} ${agentHasVersion}` : name;
}

/** The same without reasons and versions. */
export function stepsOf(server: RecordingOpampServer, name: string, from = 0): string[] {
  return storyOf(server, name, from).map((text) => text.split(/[ :]/, 1)[0] ?? "");
}

/** Resolves to the first final status of a package from `from` on: installed or failed. */
export async function packageVerdict(server: RecordingOpampServer, name: string, from = 0): Promise<string> {
  return packageTold(server, name, /^Install(ed|Failed)/, from);
}

/** Resolves to the first story from `from` on that matches. */
export async function packageTold(
  server: RecordingOpampServer,
  name: string,
  pattern: RegExp,
  from = 0,
  timeoutMs?: number,
): Promise<string> {
  const look = () => storyOf(server, name, from).find((text) => pattern.test(text));
  try {
    return await server.until(`a status of package "${name}" like ${pattern}`, look, timeoutMs);
  } catch (error) {
    throw new Error(`told so far: ${storyOf(server, name).join(" → ")}`, { cause: error });
  }
}

export function versionOf(server: RecordingOpampServer): unknown {
  const attributes = server.state?.agentDescription?.identifyingAttributes ?? [];
  return attributes.find(({ key }) => key === "service.version")?.value?.value.value;
}

/** The package as the server knows it now. */
export function statusOf(server: RecordingOpampServer, name: string): PackageStatus | undefined {
  return server.state?.packageStatuses?.packages[name];
}

/** The program of the one Collector that runs. */
export async function runningProgram(host: SupervisorHost): Promise<string> {
  return readFileSync(`/proc/${await host.onlyCollector()}/cmdline`, "utf8").split("\0")[0] ?? "";
}

/** How often a Collector of this host has started, by its log; a reload counts as well. */
export async function startsOf(host: SupervisorHost): Promise<number> {
  return (await host.readState("agent.log")).split("Everything is ready").length - 1;
}

/** Nothing was stopped, nothing was lost, and the host's own Collector runs as before. */
export async function expectUntouched({ host, pid, sender }: PackageHost): Promise<void> {
  await sender.accepted();
  await expectRuns(host, "before");
  const { refused } = await sender.stop();
  expect(refused).toEqual([]);
  expect(host.collectorPid()).toBe(pid);
  expect(await runningProgram(host)).toBe(collectorBinary());
}

/** The host's own Collector runs as before, and everything that was accepted arrived. */
export async function expectTakenBack({ host, sender }: PackageHost): Promise<SendReport> {
  await sender.accepted();
  await expectRuns(host, "before");
  expect(await runningProgram(host)).toBe(collectorBinary());
  await host.server.until("the old version", () => versionOf(host.server) === "0.149.0");
  const report = await sender.stop();
  await host.sink.waitFor(report.accepted);
  return report;
}
