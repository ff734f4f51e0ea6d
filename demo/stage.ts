import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { constants, copyFile, mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { systemClock } from "../src/foundation/clock.ts";
import { silentLogger } from "../src/foundation/logger.ts";
import { type RunningServer, startServer } from "../src/server/server.ts";
import { defaultServerSettings } from "../src/server/settings/load.ts";

const launcher = fileURLToPath(new URL("../bin/opamp-supervisor", import.meta.url));

/** The part of `GET /api/v1/agents/{instance_uid}` that the demo reads. */
export interface AgentView {
  id: string;
  version: string | null;
  connected: boolean;
  health: { healthy: boolean; status: string; last_error?: string } | null;
  remote_config_status: { status: string; hash: string; error?: string } | null;
  effective_config: Record<string, string> | null;
  packages: Record<string, PackageView> | null;
}

/** One package, as the agent reports it. */
export interface PackageView {
  status: string;
  version?: string;
  offered_version?: string;
  error?: string;
  download?: { percent: number; bytes_per_second: number };
}

/** Of downloads on the stage: loopback would be too quick to watch. */
export const downloadMiBPerSecond = 10;

export interface StageOptions {
  usesPackages: boolean;
  /** How many supervisors there are; default 1. */
  hosts?: number;
}

/** Everything that plays: an embedded opamp-server, and real supervisors with their Collectors. */
export class Stage {
  readonly directory: string;
  /** Rejects when a supervisor ends by itself. */
  readonly failed: Promise<never>;
  readonly #server: RunningServer;
  readonly #supervisors: readonly ChildProcess[];
  readonly #belongings = new AsyncDisposableStack();
  #output = "";
  #striking = false;

  private constructor(directory: string, server: RunningServer, supervisors: readonly ChildProcess[]) {
    this.directory = directory;
    this.#server = server;
    this.#supervisors = supervisors;
    for (const stream of supervisors.flatMap(({ stdout, stderr }) => [stdout, stderr])) {
      stream?.on("data", (chunk: Buffer) => {
        this.#output = (this.#output + chunk.toString()).slice(-8_000);
      });
    }
    this.failed = new Promise((_resolve, reject) => {
      for (const supervisor of supervisors) {
        supervisor.once("exit", (code, signal) => {
          if (!this.#striking)
            reject(new Error(`the supervisor ended with ${signal ?? `exit code ${code}`}`));
        });
      }
    });
    // It is raced against the story; a rejection after the end is nobody's concern.
    this.failed.catch(() => undefined);
  }

  static async set({ usesPackages, hosts = 1 }: StageOptions): Promise<Stage> {
    const directory = await mkdtemp(join(tmpdir(), "opamp-demo-"));
    try {
      const settings = defaultServerSettings();
      settings.opamp.address = { host: "127.0.0.1", port: 0 };
      settings.management.address = { host: "127.0.0.1", port: 0 };
      // One agent, and nobody who would wait ten minutes.
      settings.rollouts.defaultStrategy = "immediate";
      if (usesPackages) {
        const packages = join(directory, "packages");
        await mkdir(packages);
        settings.packages = { directory: packages, url: undefined, headers: {}, maxDownloads: 10 };
      }
      const server = await startServer(settings, { clock: systemClock, log: silentLogger });
      const supervisors: ChildProcess[] = [];
      for (let host = 0; host < hosts; host += 1) {
        // The first has the place that the stories of one host know.
        const place = host === 0 ? directory : join(directory, `host-${host + 1}`);
        await mkdir(place, { recursive: true });
        const file = join(place, "supervisor.yaml");
        await writeFile(file, supervisorYaml(place, server.opampUrl.href, usesPackages));
        supervisors.push(
          spawn(launcher, ["--config", file], {
            stdio: ["ignore", "pipe", "pipe"],
            env: { ...process.env, METRICS_PORT: String(await freePort()) },
            // A Ctrl-C in the terminal is answered by the demo, which then stops the supervisor in order.
            detached: true,
          }),
        );
      }
      return new Stage(directory, server, supervisors);
    } catch (error) {
      await rm(directory, { recursive: true, force: true });
      throw error;
    }
  }

  /** Something of a story that goes when everything goes. */
  use<T extends Disposable | AsyncDisposable>(belonging: T): T {
    return this.#belongings.use(belonging);
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

  /** The first agent, as the public API shows it; undefined before it has connected. */
  async agent(): Promise<AgentView | undefined> {
    const [first] = await this.agents();
    return first;
  }

  /** All of them. */
  async agents(): Promise<AgentView[]> {
    const list = (await this.get("api/v1/agents")) as { agents: { id: string }[] };
    return await Promise.all(
      list.agents.map(async ({ id }) => (await this.get(`api/v1/agents/${id}`)) as AgentView),
    );
  }

  /** Pushes a configuration to everybody the way an operator does, and gives back its hash. */
  async push(configuration: string): Promise<string> {
    const answer = await this.post("api/v1/config", configuration, "application/yaml");
    return (answer as { config_hash: string }).config_hash;
  }

  /** Puts a file into the server's folder of packages, the way an operator does; the path there. */
  async putPackage(name: string, version: string, file: string): Promise<string> {
    const path = join(this.directory, "packages", name, version, "otelcol");
    const aside = `${dirname(path)}/.otelcol`;
    await mkdir(dirname(path), { recursive: true });
    await copyFile(file, aside, constants.COPYFILE_FICLONE);
    await rename(aside, path);
    return path;
  }

  /** Has the server read its folder now, and offer this version to everyone. */
  async offerPackage(name: string, version: string): Promise<{ offered: number }> {
    await this.post("api/v1/packages/rescan");
    const body = JSON.stringify({ packages: { [name]: version } });
    return (await this.post("api/v1/packages/offer", body)) as { offered: number };
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

  /** Stops everything that was started, and deletes what it wrote. */
  async strike(): Promise<void> {
    this.#striking = true;
    const ended = this.#supervisors.map(
      (supervisor) =>
        new Promise<void>((resolve) => {
          if (supervisor.exitCode !== null || supervisor.signalCode !== null) resolve();
          else supervisor.once("exit", () => resolve());
        }),
    );
    for (const supervisor of this.#supervisors) supervisor.kill("SIGTERM");
    await Promise.all(ended);
    await this.#server.close();
    await this.#belongings.disposeAsync();
    // What a story was writing when it was interrupted may come in between.
    await rm(this.directory, { recursive: true, force: true, maxRetries: 5 });
  }

  /** The public API. */
  async post(path: string, body = "", type = "application/json"): Promise<unknown> {
    const headers = { "content-type": type };
    const response = await fetch(new URL(path, this.managementUrl), { method: "POST", body, headers });
    const answer = await response.json();
    if (!response.ok) throw new Error(`the server refused ${path}: ${JSON.stringify(answer)}`);
    return answer;
  }

  async get(path: string): Promise<unknown> {
    return (await fetch(new URL(path, this.managementUrl))).json();
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** A Collector of the story, which scripts/demo.mjs has made ready. */
export function collectorFrom(variable: "OTELCOL" | "OTELCOL_SECOND" | "OTELCOL_FEWER"): string {
  const path = process.env[variable];
  if (path !== undefined) return path;
  throw new Error(`${variable} does not name a Collector: start this with npm run demo`);
}

function supervisorYaml(directory: string, endpoint: string, usesPackages: boolean): string {
  return `server:
  endpoint: ${endpoint}
capabilities:
  accepts_remote_config: true
  reports_remote_config: true
  accepts_restart_command: true
  accepts_packages: ${usesPackages}
storage:
  directory: ${join(directory, "state")}
agent:
  executable: ${collectorFrom("OTELCOL")}
  figures:
    interval: 1s
  description:
    non_identifying_attributes:
      deployment.environment.name: demo
packages:
  bandwidth_limit: ${downloadMiBPerSecond}MiB
`;
}
