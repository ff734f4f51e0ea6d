import { create } from "@bufbuild/protobuf";
import { onTestFinished } from "vitest";
import type { LogFields, Logger } from "../../../../src/foundation/logger.ts";
import { ReportedState } from "../../../../src/opamp/agent/reported-state.ts";
import {
  AgentDescriptionSchema,
  type AgentRemoteConfig,
  ConnectionSettingsStatuses,
} from "../../../../src/opamp/messages.ts";
import { Connections } from "../../../../src/supervisor/change/connections.ts";
import { agentCapabilities } from "../../../../src/supervisor/report/capabilities.ts";
import { openConnectionFiles } from "../../../../src/supervisor/storage/connection-files.ts";
import { StateDirectory } from "../../../../src/supervisor/storage/state-directory.ts";
import { noTracer } from "../../../../src/supervisor/telemetry/tracer.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { ScriptedOpampServer, type ScriptedServerOptions } from "../../../support/scripted-opamp-server.ts";
import { tempDir } from "../../../support/temp-dir.ts";
import { load } from "../settings/support.ts";

const uid = new Uint8Array(16).fill(7);

/** A server that ends with the test. */
export async function startServer(options: ScriptedServerOptions = {}): Promise<ScriptedOpampServer> {
  const server = await ScriptedOpampServer.start(options);
  onTestFinished(() => server.stop());
  return server;
}

/** Lets simulated time pass until `condition` holds, slowly enough for what happens on real sockets. */
export async function passing(clock: ManualClock, condition: () => boolean): Promise<void> {
  while (!condition()) {
    clock.advance(500);
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Resolves when `condition` holds; whatever it depends on happens in this process. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

export interface Agent {
  connections: Connections;
  clock: ManualClock;
  state: ReportedState;
  /** Events that were logged. */
  events: string[];
  configs: AgentRemoteConfig[];
  /** `APPLYING 1`, `FAILED 1: why`: every status, in order. */
  statuses: string[];
  directory: StateDirectory;
  /** Resolves when no change is under way. */
  idle(): Promise<void>;
  stop(): Promise<void>;
}

export interface AgentOptions {
  /** Further lines of the server section. */
  server?: string[];
  env?: Record<string, string>;
  path?: string;
  clock?: ManualClock;
}

/** Of an agent whose server section has these lines too. */
export function settingsOf(endpoint: URL, server: string[] = [], env: Record<string, string> = {}) {
  const text = [
    "server:",
    ...[`endpoint: ${endpoint.href}`, ...server].map((line) => `  ${line}`),
    "capabilities: {accepts_opamp_connection_settings: true, accepts_remote_config: true}",
    "agent: {executable: /otelcol}",
  ].join("\n");
  return load(text, env).settings;
}

/** The connections of an agent, alone: real files and sockets, simulated time. */
export async function startAgent(endpoint: URL, options: AgentOptions = {}): Promise<Agent> {
  const { server = [], env = {}, path = tempDir(), clock = new ManualClock() } = options;
  const settings = settingsOf(endpoint, server, env);
  const events: string[] = [];
  const log = ({ event }: LogFields) => void events.push(event);
  const logger: Logger = { debug: log, info: log, warn: log, error: log };
  const directory = await StateDirectory.open(path, { clock, logger });
  const state = new ReportedState({ instanceUid: uid, capabilities: agentCapabilities(settings) });
  state.set("agentDescription", create(AgentDescriptionSchema));
  const statuses: string[] = [];
  state.subscribe((change) => {
    const status = state.get("connectionSettingsStatus");
    if (change !== "connectionSettingsStatus" || status === undefined) return;
    const name = (ConnectionSettingsStatuses[status.status] ?? "").replace("ConnectionSettingsStatuses_", "");
    const reason = status.errorMessage === "" ? "" : `: ${status.errorMessage}`;
    statuses.push(`${name} ${status.lastConnectionSettingsHash[0]}${reason}`);
  });
  const configs: AgentRemoteConfig[] = [];
  let marks = 0;
  const files = await openConnectionFiles(directory);
  const connections = new Connections(
    settings,
    {
      remoteConfig: (config) => void configs.push(config),
      packages: () => undefined,
      ownTelemetry: () => undefined,
      restart: () => undefined,
      customMessage: () => undefined,
      instanceUid: () => undefined,
      presenceChanged: () => undefined,
    },
    {
      files,
      state,
      clock,
      logger,
      tracer: noTracer,
      newMark: () => {
        marks += 1;
        return `mark-${marks}`;
      },
      saved: (_what, saving) => saving.then(() => true),
      random: () => 0,
    },
  );
  let stopped: Promise<void> | undefined;
  const stop = () => {
    stopped ??= connections.stop().then(() => directory.close());
    return stopped;
  };
  onTestFinished(async () => {
    const stopping = stop();
    const ticking = setInterval(() => clock.advance(1_000), 5);
    await stopping;
    clearInterval(ticking);
  });
  connections.start(Promise.resolve());
  return {
    connections,
    clock,
    state,
    events,
    configs,
    statuses,
    directory,
    idle: () => until(() => files.journal.value === null),
    stop,
  };
}

/** An offer, told from others by its number. */
export function offer(number: number, opamp: object): object {
  return { connectionSettings: { hash: new Uint8Array([number]), opamp } };
}
