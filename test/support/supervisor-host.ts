import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { toBinary } from "@bufbuild/protobuf";
import { onTestFinished } from "vitest";
import {
  type AgentRemoteConfig,
  AgentRemoteConfigSchema,
  AgentToServerSchema,
  RemoteConfigStatuses,
} from "../../src/opamp/messages.ts";
import { collectorBinary } from "./collector.ts";
import { eventually } from "./eventually.ts";
import { freePorts } from "./free-port.ts";
import type { LaunchedProcess } from "./launched-process.ts";
import { type OtlpSender, type SendReport, startOtlpSender } from "./otlp-sender.ts";
import { OtlpSink } from "./otlp-sink.ts";
import { type GroupOptions, type ProcessGroup, processGroup } from "./processes.ts";
import { RecordingOpampServer, type RecordingServerOptions, remoteConfig } from "./recording-opamp-server.ts";
import { tempDir } from "./temp-dir.ts";

/** The program under test. */
export const launcher = fileURLToPath(new URL("../../bin/opamp-supervisor", import.meta.url));

/** What every host sends to its server; no log line and no message may contain it. */
const serverSecret = "Bearer t0p-secret-of-the-host";

/** One section of supervisor.yaml. */
type Section = Record<string, unknown>;

export interface HostOptions extends GroupOptions {
  transport?: "ws" | "http";
  /** With "down" nothing listens on the server's port until {@link SupervisorHost.startServer}. */
  server?: "up" | "down";
  customCapabilities?: string[];
  /** Over what every host has. */
  capabilities?: Section;
  agent?: Section;
  /** Further sections. */
  settings?: Record<string, Section>;
  /** Local configuration files by name, listed in `agent.config_files` in this order. */
  configFiles?: Record<string, string | object>;
  /** Further texts that no log line and no message to the server may contain. */
  secrets?: string[];
}

/** The part of a Collector's configuration that tests differ in. */
export interface PipelineOptions {
  /** Port of the otlp receiver, instead of the host's. */
  port?: number;
  /** Statements of a transform processor on log records. */
  statements?: string[];
  extensions?: Record<string, object>;
  telemetry?: object;
}

/**
 * A machine with one supervisor, one Collector, a backend and an OpAMP server. Ends with the running
 * test, which fails if a process is left or a secret was told.
 */
export async function supervisorHost(options: HostOptions = {}): Promise<SupervisorHost> {
  const dir = tempDir();
  const ports = await freePorts("otlp", "opamp");
  const sink = await OtlpSink.start();
  onTestFinished(() => sink[Symbol.asyncDispose]());
  const host = new SupervisorHost(dir, ports, sink, options);
  onTestFinished(() => host.expectNoSecretTold());
  await host.prepare();
  if (options.server !== "down") await host.startServer();
  // Registered last, so that the programs stop before what they talk to.
  host.group = processGroup(options);
  return host;
}

export class SupervisorHost {
  readonly dir: string;
  /** `storage.directory`. */
  readonly stateDir: string;
  readonly settingsPath: string;
  readonly ports: { readonly otlp: number; readonly opamp: number };
  readonly sink: OtlpSink;
  readonly secrets: string[];
  group!: ProcessGroup;
  readonly #options: HostOptions;
  readonly #servers: RecordingOpampServer[] = [];
  readonly #supervisors: LaunchedProcess[] = [];

  constructor(dir: string, ports: SupervisorHost["ports"], sink: OtlpSink, options: HostOptions) {
    this.dir = dir;
    this.stateDir = join(dir, "state");
    this.settingsPath = join(dir, "supervisor.yaml");
    this.ports = ports;
    this.sink = sink;
    this.secrets = [serverSecret, ...(options.secrets ?? [])];
    this.#options = options;
  }

  /** The server that was started last. */
  get server(): RecordingOpampServer {
    return this.#servers.at(-1)!;
  }

  /** Starts the server, or another one in its place. */
  async startServer(options: RecordingServerOptions = {}): Promise<RecordingOpampServer> {
    const { customCapabilities = [] } = this.#options;
    const server = await RecordingOpampServer.start({
      port: this.ports.opamp,
      customCapabilities,
      ...options,
    });
    onTestFinished(() => server[Symbol.asyncDispose]());
    this.#servers.push(server);
    return server;
  }

  async prepare(): Promise<void> {
    const { configFiles = {} } = this.#options;
    await mkdir(this.stateDir, { mode: 0o700 });
    for (const [name, content] of Object.entries(configFiles)) this.writeConfigFile(name, content);
    await this.writeSettings();
  }

  /** Writes supervisor.yaml; `agent`, `capabilities` and `sections` go over what the host was made with. */
  async writeSettings(
    agent: Section = {},
    capabilities: Section = {},
    sections: Record<string, Section> = {},
  ): Promise<void> {
    const { capabilities: able, agent: given, settings, transport = "ws", configFiles = {} } = this.#options;
    const content = {
      server: {
        endpoint: `${transport}://127.0.0.1:${this.ports.opamp}/v1/opamp`,
        headers: { Authorization: serverSecret },
      },
      capabilities: {
        accepts_remote_config: true,
        reports_remote_config: true,
        accepts_restart_command: true,
        ...able,
        ...capabilities,
      },
      storage: { directory: this.stateDir },
      agent: {
        executable: collectorBinary(),
        config_files: Object.keys(configFiles).map((name) => join(this.dir, name)),
        // Starting a Collector takes its time where several tests share two cores.
        config_apply_timeout: "15s",
        bootstrap_timeout: "15s",
        ...given,
        ...agent,
      },
      ...settings,
      ...sections,
    };
    await writeFile(this.settingsPath, JSON.stringify(content, undefined, 2));
  }

  /** Synchronously, so that a watcher sees one change. */
  writeConfigFile(name: string, content: string | object): void {
    const text = typeof content === "string" ? content : JSON.stringify(content, undefined, 2);
    writeFileSync(join(this.dir, name), text);
  }

  /** Writes what an earlier supervisor kept, in the reference's format. */
  async saveRemote(config: AgentRemoteConfig): Promise<void> {
    await writeFile(
      join(this.stateDir, "last_recv_remote_config.dat"),
      toBinary(AgentRemoteConfigSchema, config),
    );
  }

  /** A file of the state directory. */
  readState(name: string): Promise<string> {
    return readFile(join(this.stateDir, name), "latin1");
  }

  /** Starts a supervisor; resolves when its process is there. */
  async start(env: Record<string, string> = {}): Promise<LaunchedProcess> {
    const supervisor = await this.group.launch(launcher, ["--config", this.settingsPath], { env });
    this.#supervisors.push(supervisor);
    return supervisor;
  }

  /** Starts a supervisor; resolves when its Collector is healthy and the server knows. */
  async startHealthy(): Promise<LaunchedProcess> {
    const from = this.server.mark;
    const supervisor = await this.start();
    await this.server.reported("health", ({ healthy }) => healthy, from);
    return supervisor;
  }

  /** Ends the supervisor and starts another one; resolves when that works. SIGUSR2 leaves the Collector running. */
  async restart(signal: NodeJS.Signals = "SIGUSR2"): Promise<LaunchedProcess> {
    await this.kill(signal);
    const supervisor = await this.start();
    await supervisor.waitFor("started");
    return supervisor;
  }

  /** Ends the supervisor that was started last. */
  async kill(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    await this.#supervisors.at(-1)?.kill(signal);
  }

  /** Offers a configuration and waits until it is APPLIED. */
  async apply(config: AgentRemoteConfig): Promise<AgentRemoteConfig> {
    const from = this.server.mark;
    this.server.offer(config);
    const { status, errorMessage } = await this.server.verdict(config, from);
    if (status !== RemoteConfigStatuses.RemoteConfigStatuses_APPLIED)
      throw new Error(`FAILED: ${errorMessage}`);
    return config;
  }

  /** Pid of the running Collector, from the supervisor's record. */
  collectorPid(): number {
    const record = JSON.parse(readFileSync(join(this.stateDir, "collector.json"), "utf8")) as {
      process: { pid: number };
    } | null;
    if (record === null) throw new Error("no Collector runs");
    return record.process.pid;
  }

  /** Live Collectors of this host, whoever started them. */
  async collectors(): Promise<number[]> {
    const running = await this.group.alive();
    return running
      .filter(({ command }) => command.includes(`--config ${join(this.stateDir, "effective.yaml")}`))
      .map(({ pid }) => pid);
  }

  /** Resolves with the pid of the one Collector that runs, once the record, which is written after the start, names it. */
  onlyCollector(): Promise<number> {
    return eventually("one Collector, and a record of it", async () => {
      const running = await this.collectors();
      const pid = this.collectorPid();
      return running.length === 1 && running[0] === pid ? pid : undefined;
    });
  }

  /** Takes a port of this machine until the test ends or it is closed. */
  async occupy(port: number): Promise<Server> {
    const server = createServer().listen(port, "127.0.0.1");
    await once(server, "listening");
    onTestFinished(() => void server.close());
    return server;
  }

  /** A Collector's configuration: otlp in, the backend out. */
  pipeline({ port = this.ports.otlp, statements, extensions, telemetry }: PipelineOptions = {}) {
    const processors = statements && { transform: { log_statements: statements } };
    return {
      receivers: { otlp: { protocols: { http: { endpoint: `127.0.0.1:${port}` } } } },
      ...(processors && { processors }),
      exporters: { otlphttp: { ...this.sink.exporter, retry_on_failure: { initial_interval: "50ms" } } },
      ...(extensions && { extensions }),
      service: {
        // The default reader listens on port 8888, which tests that run side by side would fight over.
        telemetry: { metrics: { level: "none" }, ...telemetry },
        ...(extensions && { extensions: Object.keys(extensions) }),
        pipelines: {
          logs: { receivers: ["otlp"], processors: Object.keys(processors ?? {}), exporters: ["otlphttp"] },
        },
      },
    };
  }

  /** The same as an offer. */
  remotePipeline(options: PipelineOptions = {}): AgentRemoteConfig {
    return remoteConfig({ "": this.pipeline(options) });
  }

  /** Begins to send records to the Collector. */
  send(port = this.ports.otlp): OtlpSender {
    const sender = startOtlpSender({ endpoint: `http://127.0.0.1:${port}` });
    let stopped: Promise<SendReport> | undefined;
    const stop = () => {
      stopped ??= sender.stop();
      return stopped;
    };
    onTestFinished(async () => void (await stop()));
    return { ...sender, stop };
  }

  /** Resolves when a record that is sent from now on goes all the way to the backend. */
  async expectDataFlows(port = this.ports.otlp): Promise<void> {
    const sender = this.send(port);
    const { number } = await sender.accepted();
    await sender.stop();
    await this.sink.waitFor([number]);
  }

  /** What every supervisor of this host logged. */
  get logLines(): readonly Record<string, unknown>[] {
    return this.#supervisors.flatMap(({ lines }) => lines);
  }

  expectNoSecretTold(): void {
    const link = readIfThere(join(this.stateDir, "local_link.json"));
    const token = link === undefined ? undefined : (JSON.parse(link) as { token: string }).token;
    const secrets = [...this.secrets, ...(token ? [token] : [])];
    const texts = [
      ...this.logLines.map((line) => JSON.stringify(line)),
      ...this.#servers.flatMap(({ received }) =>
        received.map(({ message }) => Buffer.from(toBinary(AgentToServerSchema, message)).toString("latin1")),
      ),
    ];
    for (const text of texts) {
      const told = secrets.find((secret) => text.includes(secret));
      if (told !== undefined) throw new Error(`the secret "${told}" was told: ${text}`);
    }
  }
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
