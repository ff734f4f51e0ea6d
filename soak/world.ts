import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { commandLine, processesOf, readProc } from "../test/interop/proc.ts";
import { collectorBinary } from "../test/support/collector.ts";
import { freePorts } from "../test/support/free-port.ts";
import { startOtlpSender } from "../test/support/otlp-sender.ts";
import { OtlpSink } from "../test/support/otlp-sink.ts";
import { type AgentView, ControlPlane } from "./control-plane.ts";
import { SmallDisk } from "./disk.ts";
import { Program } from "./programs.ts";
import { TcpProxy } from "./tcp-proxy.ts";

const clockPreload = fileURLToPath(new URL("clock-preload.cjs", import.meta.url));
const ports = () => freePorts("otlp", "health", "proxy", "opamp", "management");

/** A push, and what is to become of it. */
export interface Push {
  hash: string;
  isGood: boolean;
  /** What the configuration says of itself. */
  generation: string;
}

/** Sizes at one moment; memory in MiB. */
export interface Sizes {
  supervisorRss: number;
  collectorRss: number;
  serverRss: number;
  stateBytes: number;
  stateFiles: number;
  logLines: number;
}

/** One host with its supervisor and Collector, its server, and the network between them. */
export class World implements AsyncDisposable {
  readonly directory: string;
  readonly stateDirectory: string;
  readonly ports: Awaited<ReturnType<typeof ports>>;
  readonly supervisor: Program;
  readonly server: Program;
  readonly control: ControlPlane;
  readonly sink: OtlpSink;
  readonly proxy: TcpProxy;
  /** Undefined where this user may not mount one. */
  readonly disk: SmallDisk | undefined;
  readonly pushes: Push[] = [];

  static async create(): Promise<World> {
    const directory = await mkdtemp(join(tmpdir(), "opamp-soak-"));
    const stateDirectory = join(directory, "state");
    await mkdir(stateDirectory, { mode: 0o700 });
    await mkdir(join(directory, "packages"));
    const given = await ports();
    const world = new World(directory, given, {
      disk: SmallDisk.mount(stateDirectory, "96m"),
      sink: await OtlpSink.start(),
      proxy: await TcpProxy.start(given.proxy, given.opamp),
    });
    await world.#writeSettings();
    return world;
  }

  private constructor(
    directory: string,
    given: World["ports"],
    { disk, sink, proxy }: { disk: SmallDisk | undefined; sink: OtlpSink; proxy: TcpProxy },
  ) {
    this.directory = directory;
    this.stateDirectory = join(directory, "state");
    this.ports = given;
    this.disk = disk;
    this.sink = sink;
    this.proxy = proxy;
    this.supervisor = new Program("opamp-supervisor", join(directory, "supervisor.yaml"), {
      NODE_OPTIONS: `--require=${clockPreload}`,
      OPAMP_SOAK_CLOCK: join(directory, "clock"),
    });
    this.server = new Program("opamp-server", join(directory, "server.yaml"));
    this.control = new ControlPlane(given.management, join(directory, "packages"));
  }

  /** Milliseconds by which the supervisor's wall clock is off from now on. */
  setClock(offsetMs: number): Promise<void> {
    return writeFile(join(this.directory, "clock"), String(offsetMs));
  }

  /** The Collector that runs, whatever is written down about it. */
  collectorPid(): number | undefined {
    const pids = processesOf(collectorBinary(), this.stateDirectory);
    return pids.find((pid) => !commandLine(pid).includes("validate"));
  }

  /** A pipeline that takes records and tells which generation it is. */
  pipeline(generation: string, { port = this.ports.otlp } = {}) {
    return {
      receivers: { otlp: { protocols: { http: { endpoint: `127.0.0.1:${port}` } } } },
      exporters: { otlp_http: { ...this.sink.exporter, sending_queue: { enabled: false } } },
      service: {
        telemetry: { metrics: { level: "none" }, resource: { generation } },
        pipelines: { logs: { receivers: ["otlp"], exporters: ["otlp_http"] } },
      },
    };
  }

  /** Pushes what is to be applied, or to be refused. */
  async push(configuration: object, generation: string, { isGood }: { isGood: boolean }): Promise<Push> {
    const push = { hash: await this.control.push(configuration), isGood, generation };
    this.pushes.push(push);
    return push;
  }

  /** What is not yet as it should be; undefined where everything is. */
  async notRecovered(): Promise<string | undefined> {
    if (this.supervisor.pid === undefined) return "the supervisor does not run";
    const taken = await this.#takesData();
    if (!taken) return "the Collector takes no data";
    const ready = await this.#get("/ready");
    if (ready.status !== 200) return `/ready: ${ready.status} ${ready.text.trim()}`;
    const agent = await this.control.agent();
    if (agent === undefined) return "the server does not know the agent";
    return notAsExpected(agent, this.pushes);
  }

  /** A configuration that dies twice on probation is gone back from, by rule: the next fault waits for its end. */
  async onProbation(): Promise<string | undefined> {
    const { status, text } = await this.#get("/status.json");
    if (status !== 200) return `/status.json: ${status}`;
    const { configuration } = JSON.parse(text) as { configuration: { on_probation: boolean } };
    return configuration.on_probation ? "it is still on probation" : undefined;
  }

  /** What the reported verdict says that is not true; undefined where it is true. */
  async untruth(): Promise<string | undefined> {
    const verdict = (await this.control.agent())?.remote_config_status;
    const push = this.pushes.find(({ hash }) => hash === verdict?.hash);
    if (verdict == null || push === undefined) return undefined;
    if (verdict.status === "FAILED" && push.isGood) {
      return `good configuration ${push.generation} FAILED: ${verdict.error ?? ""}`;
    }
    if (verdict.status === "APPLIED" && !push.isGood) return `bad configuration ${push.generation} APPLIED`;
    return undefined;
  }

  async sizes(): Promise<Sizes> {
    const rss = (pid: number | undefined) =>
      pid === undefined ? 0 : Number(/^VmRSS:\s+(\d+)/m.exec(readProc(pid, "status"))?.[1] ?? 0) / 1024;
    const files = await readdir(this.stateDirectory, { recursive: true, withFileTypes: true });
    const sizes = await Promise.all(
      files
        .filter((file) => file.isFile())
        .map((file) =>
          stat(join(file.parentPath, file.name)).then(
            ({ size }) => size,
            () => 0,
          ),
        ),
    );
    return {
      supervisorRss: rss(this.supervisor.pid),
      collectorRss: rss(this.collectorPid()),
      serverRss: rss(this.server.pid),
      stateBytes: sizes.reduce((sum, size) => sum + size, 0),
      stateFiles: sizes.length,
      logLines: this.supervisor.logLines,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.supervisor.kill("SIGTERM");
    await this.server.kill("SIGTERM");
    const left = this.collectorPid();
    if (left !== undefined) process.kill(left, "SIGKILL");
    await this.proxy[Symbol.asyncDispose]();
    await this.sink[Symbol.asyncDispose]();
    this.disk?.[Symbol.dispose]();
    await rm(this.directory, { recursive: true, force: true, maxRetries: 5 });
  }

  async #takesData(): Promise<boolean> {
    const sender = startOtlpSender({ endpoint: `http://127.0.0.1:${this.ports.otlp}`, everyMs: 60_000 });
    const answered = await Promise.race([sender.stop(), sleep(500, undefined, { ref: false })]);
    return answered !== undefined && answered.accepted.length > 0;
  }

  async #get(path: string): Promise<{ status: number; text: string }> {
    try {
      const url = `http://127.0.0.1:${this.ports.health}${path}`;
      const response = await fetch(url, { signal: AbortSignal.timeout(2_000) });
      return { status: response.status, text: await response.text() };
    } catch (error) {
      return { status: 0, text: String(error) };
    }
  }

  async #writeSettings(): Promise<void> {
    const { ports: at, directory, stateDirectory } = this;
    const supervisor = {
      server: { endpoint: `ws://127.0.0.1:${at.proxy}/v1/opamp` },
      capabilities: {
        accepts_remote_config: true,
        reports_remote_config: true,
        accepts_restart_command: true,
        accepts_opamp_connection_settings: true,
        accepts_packages: true,
      },
      storage: { directory: stateDirectory },
      agent: {
        executable: collectorBinary(),
        probation: "3s",
        liveness_timeout: "10s",
        config_apply_timeout: "20s",
        bootstrap_timeout: "20s",
        log: { max_size: "1MiB" },
      },
      healthcheck: { endpoint: `127.0.0.1:${at.health}` },
    };
    const server = {
      opamp: { endpoint: `127.0.0.1:${at.opamp}` },
      management: { endpoint: `127.0.0.1:${at.management}` },
      packages: { directory: join(directory, "packages") },
      storage: { directory: join(directory, "server") },
    };
    await mkdir(join(directory, "server"));
    await writeFile(join(directory, "supervisor.yaml"), JSON.stringify(supervisor));
    await writeFile(join(directory, "server.yaml"), JSON.stringify(server));
  }
}

/**
 * The server has the last word on what is to run, and takes back what failed: what it wants now has to run, and where
 * that is bad, any good one.
 */
function notAsExpected(agent: AgentView, pushes: readonly Push[]): string | undefined {
  if (!agent.connected) return "the agent is not connected";
  if (agent.health?.healthy !== true) return `the agent is not healthy: ${agent.health?.last_error ?? ""}`;
  const effective = Object.values(agent.effective_config ?? {}).join("\n");
  const running = /generation: (\w+)/.exec(effective)?.[1];
  const desired = pushes.find(({ hash }) => hash === agent.desired_config_hash);
  if (desired?.isGood !== true) {
    const isGood = pushes.some(({ generation, isGood: good }) => good && generation === running);
    return isGood ? undefined : `no good configuration runs: ${running ?? "none is known"}`;
  }
  if (running !== desired.generation) return `${desired.generation} does not run`;
  const { hash, status, error = "" } = agent.remote_config_status ?? { hash: "", status: "UNSET" };
  // What runs already is not offered again: then the last word is the one on what was refused before.
  if (hash !== desired.hash || status === "APPLIED") return undefined;
  return `${desired.generation} is ${status}: ${error}`;
}

/** Resolves to undefined as soon as `check` finds nothing wrong, or to what is still wrong in the end. */
export async function settle(
  check: () => Promise<string | undefined>,
  timeoutMs: number,
): Promise<string | undefined> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const wrong = await check();
    if (wrong === undefined) return undefined;
    if (performance.now() > deadline) return wrong;
    await sleep(50);
  }
}
