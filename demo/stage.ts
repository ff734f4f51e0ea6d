import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { systemClock } from "../src/foundation/clock.ts";
import { silentLogger } from "../src/foundation/logger.ts";
import { type RunningServer, startServer } from "../src/server/server.ts";
import { defaultServerSettings } from "../src/server/settings/load.ts";
import { MetricsSink } from "./sink.ts";

const launcher = fileURLToPath(new URL("../bin/opamp-supervisor", import.meta.url));

/** The part of `GET /api/v1/agents/{instance_uid}` that the demo reads. */
export interface AgentView {
  id: string;
  version: string | null;
  connected: boolean;
  health: { healthy: boolean; status: string; last_error?: string } | null;
  remote_config_status: { status: string; hash: string; error?: string } | null;
  effective_config: Record<string, string> | null;
}

/** Everything that plays: an embedded opamp-server, a backend, and the real supervisor with its Collector. */
export class Stage {
  readonly directory: string;
  readonly sink: MetricsSink;
  /** Rejects when the supervisor ends by itself. */
  readonly failed: Promise<never>;
  readonly #server: RunningServer;
  readonly #supervisor: ChildProcess;
  #output = "";
  #striking = false;

  private constructor(directory: string, server: RunningServer, sink: MetricsSink, supervisor: ChildProcess) {
    this.directory = directory;
    this.sink = sink;
    this.#server = server;
    this.#supervisor = supervisor;
    for (const stream of [supervisor.stdout, supervisor.stderr]) {
      stream?.on("data", (chunk: Buffer) => {
        this.#output = (this.#output + chunk.toString()).slice(-8_000);
      });
    }
    this.failed = new Promise((_resolve, reject) => {
      supervisor.once("exit", (code, signal) => {
        if (!this.#striking) reject(new Error(`the supervisor ended with ${signal ?? `exit code ${code}`}`));
      });
    });
    // It is raced against the story; a rejection after the end is nobody's concern.
    this.failed.catch(() => undefined);
  }

  static async set(): Promise<Stage> {
    const collector = process.env.OTELCOL;
    if (collector === undefined)
      throw new Error("OTELCOL does not name a Collector: start this with npm run demo");
    const directory = await mkdtemp(join(tmpdir(), "opamp-demo-"));
    const settings = defaultServerSettings();
    settings.opamp.address = { host: "127.0.0.1", port: 0 };
    settings.management.address = { host: "127.0.0.1", port: 0 };
    const server = await startServer(settings, { clock: systemClock, log: silentLogger });
    const sink = await MetricsSink.open();
    const supervisorYaml = join(directory, "supervisor.yaml");
    await writeFile(
      supervisorYaml,
      `server:
  endpoint: ${server.opampUrl.href}
capabilities:
  accepts_remote_config: true
  reports_remote_config: true
  accepts_restart_command: true
storage:
  directory: ${join(directory, "state")}
agent:
  executable: ${collector}
  description:
    non_identifying_attributes:
      deployment.environment.name: demo
`,
    );
    const supervisor = spawn(launcher, ["--config", supervisorYaml], {
      stdio: ["ignore", "pipe", "pipe"],
      // A Ctrl-C in the terminal is answered by the demo, which then stops the supervisor in order.
      detached: true,
    });
    return new Stage(directory, server, sink, supervisor);
  }

  get managementUrl(): string {
    return this.#server.managementUrl.href;
  }

  /** Pid of the Collector, from the supervisor's own record. */
  collectorPid(): number {
    const record = JSON.parse(readFileSync(join(this.directory, "state/collector.json"), "utf8")) as {
      process: { pid: number };
    };
    return record.process.pid;
  }

  /** The one agent, as the public API shows it; undefined before it has connected. */
  async agent(): Promise<AgentView | undefined> {
    const list = (await this.#get("api/v1/agents")) as { agents: { id: string }[] };
    const [first] = list.agents;
    return first && ((await this.#get(`api/v1/agents/${first.id}`)) as AgentView);
  }

  /** Pushes a configuration the way an operator does, and gives back its hash. */
  async push(configuration: string): Promise<string> {
    const response = await fetch(new URL("api/v1/config", this.managementUrl), {
      method: "POST",
      body: configuration,
      headers: { "content-type": "application/yaml" },
    });
    const answer = (await response.json()) as { config_hash: string };
    if (!response.ok) throw new Error(`the server refused the configuration: ${JSON.stringify(answer)}`);
    return answer.config_hash;
  }

  /** Waits until `look` gives something, or says what did not happen. */
  async until<T>(
    what: string,
    look: () => Promise<T | undefined> | T | undefined,
    timeoutMs = 20_000,
  ): Promise<T> {
    const deadline = performance.now() + timeoutMs;
    while (performance.now() < deadline) {
      const found = await look();
      if (found !== undefined) return found;
      await sleep(25);
    }
    throw new Error(`did not happen within ${timeoutMs / 1000} s: ${what}`);
  }

  /** The verdict on a configuration, once there is one. */
  verdict(hash: string): Promise<{ status: string; error?: string }> {
    return this.until(`a verdict on ${hash.slice(0, 8)}`, async () => {
      const status = (await this.agent())?.remote_config_status;
      return status?.hash === hash && status.status !== "APPLYING" ? status : undefined;
    });
  }

  async lastWords(): Promise<string> {
    const log = await readFile(join(this.directory, "state/agent.log"), "utf8").catch(() => "");
    return `the supervisor's last words:\n${this.#output}\nthe Collector's last words:\n${log.slice(-4_000)}`;
  }

  /** Stops everything that was started. */
  async strike(): Promise<void> {
    this.#striking = true;
    const ended = new Promise<void>((resolve) => {
      if (this.#supervisor.exitCode !== null || this.#supervisor.signalCode !== null) resolve();
      else this.#supervisor.once("exit", () => resolve());
    });
    this.#supervisor.kill("SIGTERM");
    await ended;
    await this.#server.close();
    this.sink.close();
  }

  async #get(path: string): Promise<unknown> {
    return (await fetch(new URL(path, this.managementUrl))).json();
  }
}
