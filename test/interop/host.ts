import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { collectorBinary } from "../support/collector.ts";
import { freePort } from "../support/free-port.ts";
import { monotonicMs } from "./line-program.ts";
import { type AgentMessage, OpampGoServer } from "./opampgo-server.ts";
import { descendants, processesOf, runs } from "./proc.ts";

/** Our supervisor, unless the environment names another one. */
export const supervisorExecutable =
  process.env.OPAMP_SUPERVISOR ?? join(import.meta.dirname, "..", "..", "bin", "opamp-supervisor");

export interface HostOptions {
  executable: string;
  /** Transport of OpAMP. */
  scheme?: "ws" | "http";
  /** Added to the `agent` section of supervisor.yaml. */
  agentSettings?: Record<string, unknown>;
  /** Added to the `capabilities` section. */
  capabilities?: Record<string, boolean>;
  /** Further sections of supervisor.yaml. */
  settings?: Record<string, unknown>;
}

/** A host of its own: directory, OpAMP server (opamp-go's), a port for OTLP, and a supervisor once started. */
export class Host implements AsyncDisposable {
  readonly server: OpampGoServer;
  readonly otlpPort: number;
  readonly #directory: string;
  readonly #options: HostOptions;
  #supervisor: ChildProcess | undefined;

  private constructor(options: HostOptions, directory: string, server: OpampGoServer, otlpPort: number) {
    this.#options = options;
    this.#directory = directory;
    this.server = server;
    this.otlpPort = otlpPort;
  }

  /** Everything but the supervisor. */
  static async create(options: HostOptions): Promise<Host> {
    const server = await OpampGoServer.start();
    const directory = await mkdtemp(join(tmpdir(), "opamp-host-"));
    const host = new Host(options, directory, server, await freePort());
    await writeFile(host.#settingsFile, JSON.stringify(host.#settings()));
    return host;
  }

  /** A host whose supervisor runs the first configuration, proven and reported APPLIED. */
  static async running(options: HostOptions): Promise<Host> {
    const host = await Host.create(options);
    try {
      host.start();
      await host.alive(host.#firstConfiguration());
    } catch (error) {
      await host[Symbol.asyncDispose]();
      throw new Error(`${options.executable} did not get going`, { cause: error });
    }
    return host;
  }

  /** Starts the supervisor, for the first time or again; returns the moment before, see monotonicMs. */
  start(): number {
    const log = openSync(this.#logFile, "a");
    const before = monotonicMs();
    this.#supervisor = spawn(this.#options.executable, ["--config", this.#settingsFile], {
      stdio: ["ignore", log, log],
    });
    closeSync(log);
    return before;
  }

  /** What `work` gives. @throws as soon as the supervisor ends: one that ended needs no waiting for. */
  async alive<T>(work: Promise<T>): Promise<T> {
    const supervisor = this.#supervisor;
    if (supervisor === undefined) throw new Error("the supervisor was not started");
    const death = once(supervisor, "exit").then(() => {
      throw new Error(`the supervisor ended; its log ends with\n${this.log()}`);
    });
    return Promise.race([work, death]);
  }

  /** Ends the supervisor; SIGINT is the one signal that the reference handles. */
  async stop(signal: NodeJS.Signals = "SIGINT"): Promise<void> {
    const supervisor = this.#supervisor;
    if (supervisor === undefined || supervisor.exitCode !== null || supervisor.signalCode !== null) return;
    const exited = once(supervisor, "exit");
    supervisor.kill(signal);
    const timer = setTimeout(() => supervisor.kill("SIGKILL"), 15_000);
    await exited;
    clearTimeout(timer);
  }

  /** The supervisor's own processes; a launcher may be one of several. */
  supervisorPids(): number[] {
    const pid = this.#supervisor?.pid;
    if (pid === undefined) throw new Error("the supervisor was not started");
    return [pid, ...descendants(pid)].filter((process) => !runs(process, collectorBinary()));
  }

  /** The Collectors of this host. */
  collectorPids(): number[] {
    return processesOf(collectorBinary(), this.#directory);
  }

  /** Sends the configuration of that variant. */
  push(variant: number): Promise<{ at: number; hash: string }> {
    return this.pushConfiguration(this.configuration(variant));
  }

  async pushConfiguration(configuration: object): Promise<{ at: number; hash: string }> {
    const files = { "collector.yaml": JSON.stringify(configuration) };
    const { at, hash } = await this.server.send({ cmd: "config", files });
    return { at, hash: hash ?? "" };
  }

  /** OTLP over HTTP into nothing; the variant changes a number that the effective configuration shows. */
  configuration(variant: number) {
    return {
      receivers: { otlp: { protocols: { http: { endpoint: `127.0.0.1:${this.otlpPort}` } } } },
      processors: { batch: { send_batch_size: batchSize(variant) } },
      exporters: { nop: {} },
      service: { pipelines: { traces: { receivers: ["otlp"], processors: ["batch"], exporters: ["nop"] } } },
    };
  }

  /** The message with which the server knows that the variant runs: healthy, and in the effective configuration. */
  runsHealthy(variant: number, from: number): Promise<AgentMessage> {
    return this.server.state(
      `variant ${variant} running`,
      ({ health, effectiveConfig, remoteConfigStatus }) =>
        // A supervisor that never called itself unhealthy has no reason to report health again.
        (health?.healthy ?? remoteConfigStatus?.status === "APPLIED") && shows(effectiveConfig, variant),
      { from },
    );
  }

  /** The end of what the supervisor printed. */
  log(): string {
    return readFileSync(this.#logFile, "utf8").slice(-3000);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    for (const pid of this.collectorPids()) process.kill(pid, "SIGKILL");
    await this.server.stop();
    await rm(this.#directory, { recursive: true, force: true, maxRetries: 5 });
  }

  async #firstConfiguration(): Promise<void> {
    await this.server.state("healthy start", ({ health }) => health?.healthy === true);
    const { hash } = await this.push(0);
    await this.server.status("APPLIED", hash);
  }

  get #settingsFile(): string {
    return join(this.#directory, "supervisor.yaml");
  }

  get #logFile(): string {
    return join(this.#directory, "supervisor.log");
  }

  /** JSON is YAML. The Collector's own metrics are off: their fixed port would let only one host run at a time. */
  #settings(): Record<string, unknown> {
    const { agentSettings, capabilities, scheme = "ws" } = this.#options;
    return {
      server: { endpoint: this.server.endpoint(scheme) },
      capabilities: {
        accepts_remote_config: true,
        accepts_restart_command: true,
        reports_effective_config: true,
        reports_health: true,
        reports_remote_config: true,
        reports_own_metrics: false,
        ...capabilities,
      },
      storage: { directory: join(this.#directory, "storage") },
      agent: {
        executable: collectorBinary(),
        args: ["--set=service::telemetry::metrics::level=none"],
        ...agentSettings,
      },
      ...this.#options.settings,
    };
  }
}

/** Whether a reported effective configuration is that of the variant. */
export function shows(effectiveConfig: Record<string, string> | undefined, variant: number): boolean {
  const text = `send_batch_size: ${batchSize(variant)}`;
  return Object.values(effectiveConfig ?? {}).some((file) => file.includes(text));
}

function batchSize(variant: number): number {
  return 5000 + variant;
}
