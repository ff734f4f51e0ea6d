import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { freePort } from "../support/free-port.ts";

/** What `GET /api/v1/agents/{id}` says, as far as the tests look. */
export interface AgentView {
  id: string;
  connected: boolean;
  transport: string;
  labels: Record<string, string>;
  capabilities: string[];
  health: { healthy: boolean; last_error?: string } | null;
  remote_config_status: { status: string; hash: string; error?: string } | null;
  effective_config: Record<string, string> | null;
  sequence: number;
}

/** Our server, unless the environment names another one. */
const serverExecutable =
  process.env.OPAMP_SERVER ?? join(import.meta.dirname, "..", "..", "bin", "opamp-server");

const pollMs = 20;
const timeoutMs = 20_000;

/** Our opamp-server as users start it. It keeps its ports over {@link restart}. */
export class OpampServer implements AsyncDisposable {
  readonly opampPort: number;
  readonly #managementPort: number;
  readonly #directory: string;
  #child: ChildProcess | undefined;

  private constructor(directory: string, opampPort: number, managementPort: number) {
    this.#directory = directory;
    this.opampPort = opampPort;
    this.#managementPort = managementPort;
  }

  static async start(): Promise<OpampServer> {
    const directory = await mkdtemp(join(tmpdir(), "opamp-server-"));
    const server = new OpampServer(directory, await freePort(), await freePort());
    await writeFile(server.#settingsFile, JSON.stringify(server.#settings()));
    try {
      await server.#spawn();
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
    return server;
  }

  endpoint(scheme: "ws" | "http"): string {
    return `${scheme}://127.0.0.1:${this.opampPort}/v1/opamp`;
  }

  /** Ends the server and starts another one on the same ports. */
  async restart(): Promise<void> {
    await this.#stop();
    await this.#spawn();
  }

  /** `POST /api/v1/config`: makes this the desired configuration of every agent; its hash in hexadecimal. */
  async push(yaml: string): Promise<string> {
    const body = await this.#call("/api/v1/config", { method: "POST", body: yaml });
    return (body as { config_hash: string }).config_hash;
  }

  /** The agent as soon as it is known and `match` holds. @throws after 20 s, with what was seen last. */
  async agent(id: string, what: string, match: (agent: AgentView) => boolean): Promise<AgentView> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const { agents } = (await this.#call("/api/v1/agents")) as { agents: AgentView[] };
      const known = agents.some((agent) => agent.id === id);
      const agent = known ? ((await this.#call(`/api/v1/agents/${id}`)) as AgentView) : undefined;
      if (agent !== undefined && match(agent)) return agent;
      if (performance.now() > deadline) {
        throw new Error(`agent ${id} never was: ${what}; last seen: ${JSON.stringify(agent ?? agents)}`);
      }
      await delay(pollMs);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stop();
    await rm(this.#directory, { recursive: true, force: true });
  }

  async #spawn(): Promise<void> {
    const log = openSync(this.#logFile, "a");
    this.#child = spawn(serverExecutable, ["--config", this.#settingsFile], { stdio: ["ignore", log, log] });
    closeSync(log);
    const deadline = performance.now() + timeoutMs;
    while (!(await this.#isReady())) {
      if (this.#child.exitCode !== null || performance.now() > deadline) {
        throw new Error(`opamp-server did not start:\n${readFileSync(this.#logFile, "utf8").slice(-2000)}`);
      }
      await delay(pollMs);
    }
  }

  async #stop(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), 10_000);
    await exited;
    clearTimeout(timer);
  }

  async #isReady(): Promise<boolean> {
    return fetch(`${this.#managementUrl}/ready`).then(
      ({ ok }) => ok,
      () => false,
    );
  }

  async #call(path: string, init?: RequestInit): Promise<unknown> {
    const response = await fetch(`${this.#managementUrl}${path}`, init);
    const text = await response.text();
    if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`);
    return JSON.parse(text);
  }

  get #managementUrl(): string {
    return `http://127.0.0.1:${this.#managementPort}`;
  }

  get #settingsFile(): string {
    return join(this.#directory, "server.yaml");
  }

  get #logFile(): string {
    return join(this.#directory, "server.log");
  }

  /** JSON is YAML. */
  #settings(): Record<string, unknown> {
    return {
      opamp: { endpoint: `127.0.0.1:${this.opampPort}` },
      management: { endpoint: `127.0.0.1:${this.#managementPort}` },
      rollouts: { default_strategy: "immediate" },
    };
  }
}
