import { describe, expect, it } from "vitest";
import { eventually } from "../../support/eventually.ts";
import { freePort, freePorts } from "../../support/free-port.ts";
import { fetchJson } from "../../support/raw-agent.ts";
import { ServerProcess, settingsFile } from "../../support/server-process.ts";
import { type SupervisorHost, supervisorHost } from "../../support/supervisor-host.ts";
import { tempDir } from "../../support/temp-dir.ts";

/** They have a test of their own. */
const figuresOff = Object.fromEntries(
  ["cpu", "memory", "send_failures", "refused", "error_logs", "latency"].map((name) => [name, "off"]),
);
const quick = {
  name: "quick",
  stages: [
    { name: "one", count: 1, dwell: "3s" },
    { name: "all", share: "100%", dwell: "2s" },
  ],
  gates: figuresOff,
};

/** Long enough for what only shows in the figures. */
const watchful = {
  name: "watchful",
  stages: [{ name: "one", count: 1, dwell: "60s" }, ...quick.stages.slice(1)],
  gates: { ...figuresOff, send_failures: { hold: "2s" } },
};

interface RolloutView {
  id: string;
  state: string;
  stage: number | null;
  phase: string | null;
  reason: string | null;
  progress: Record<string, number>;
  story: { event: string; stage?: number; text: string; findings: Finding[] }[];
}

interface Finding {
  gate: string;
  level: string;
  figure?: number;
}

interface AgentView {
  id: string;
  health: { healthy: boolean } | null;
  remote_config_status: { status: string; hash: string } | null;
}

/** A control plane and three hosts with real supervisors and Collectors. */
class World {
  readonly hosts: readonly SupervisorHost[];
  readonly #settings: string;
  #server: ServerProcess | undefined;
  #management: URL | undefined;

  private constructor(hosts: readonly SupervisorHost[], settings: string) {
    this.hosts = hosts;
    this.#settings = settings;
  }

  static async start(): Promise<World> {
    const ports = await freePorts("opamp", "management");
    const settings = await settingsFile(
      JSON.stringify({
        opamp: { endpoint: `127.0.0.1:${ports.opamp}` },
        management: { endpoint: `127.0.0.1:${ports.management}` },
        storage: { directory: tempDir() },
      }),
    );
    const endpoint = `ws://127.0.0.1:${ports.opamp}/v1/opamp`;
    const hosts = await Promise.all(
      [1, 2, 3].map(() =>
        supervisorHost({
          server: "down",
          settings: { server: { endpoint } },
          agent: { figures: { interval: "500ms" } },
        }),
      ),
    );
    const world = new World(hosts, settings);
    await world.startServer();
    await Promise.all(hosts.map(async (host) => host.start({ METRICS_PORT: String(await freePort()) })));
    await eventually("all hosts are there", async () => (await world.agents()).length === 3, 40_000);
    for (const strategy of [quick, watchful]) await world.post("strategies", JSON.stringify(strategy));
    return world;
  }

  async startServer(): Promise<ServerProcess> {
    this.#server = new ServerProcess("--config", this.#settings);
    this.#management = (await this.#server.urls()).management;
    return this.#server;
  }

  async killServer(): Promise<void> {
    this.#server?.child.kill("SIGKILL");
    await this.#server?.exited;
  }

  async agents(): Promise<AgentView[]> {
    const url = new URL("/api/v1/agents", this.#management);
    return (await fetchJson<{ agents: AgentView[] }>(url)).json.agents;
  }

  /** Pushes to all hosts; each has its own ports, so that a configuration takes them from its environment. */
  async push(configuration: object, strategy: string): Promise<{ rollout: string; config_hash: string }> {
    const body = JSON.stringify(configuration);
    return (await this.post(`config?strategy=${strategy}`, body)) as { rollout: string; config_hash: string };
  }

  async post(path: string, body: string): Promise<unknown> {
    const url = new URL(`/api/v1/${path}`, this.#management);
    const { status, json } = await fetchJson<object>(url, { method: "POST", body });
    if (status !== 200) throw new Error(JSON.stringify(json));
    return json;
  }

  async rollout(id: string): Promise<RolloutView> {
    return (await fetchJson<RolloutView>(new URL(`/api/v1/rollouts/${id}`, this.#management))).json;
  }

  reaches(id: string, state: string, timeoutMs = 30_000): Promise<RolloutView> {
    return eventually(
      `${id} is ${state}`,
      async () => {
        const rollout = await this.rollout(id);
        if (rollout.state === state) return rollout;
        throw new Error(JSON.stringify(rollout));
      },
      timeoutMs,
    );
  }

  /** Hosts that were offered that, by their own logs. */
  whoTried(hash: string): SupervisorHost[] {
    return this.hosts.filter(({ logLines }) => logLines.some((line) => line.config_hash === hash));
  }

  /** How many say that they run that. */
  async applied(hash: string): Promise<number> {
    const agents = await this.agents();
    return agents.filter(
      ({ remote_config_status: status, health }) =>
        status?.hash === hash && status.status === "APPLIED" && health?.healthy === true,
    ).length;
  }
}

const pipeline = (marker: string, exporter = "nop") => ({
  receivers: { nop: {} },
  exporters: { [exporter]: {} },
  service: {
    telemetry: { metrics: { level: "none" }, resource: { marker } },
    pipelines: { logs: { receivers: ["nop"], exporters: [exporter] } },
  },
});

/** Figures of this host every 200 ms; what cannot be sent is lost at once. */
const collecting = (exporter: object) => ({
  receivers: { hostmetrics: { collection_interval: "200ms", scrapers: { load: {} } } },
  exporters: {
    otlphttp: { ...exporter, sending_queue: { enabled: false }, retry_on_failure: { enabled: false } },
  },
  service: {
    telemetry: {
      metrics: {
        level: "basic",
        // biome-ignore lint/suspicious/noTemplateCurlyInString: the Collector fills it in
        readers: [{ pull: { exporter: { prometheus: { host: "127.0.0.1", port: "${env:METRICS_PORT}" } } } }],
      },
    },
    pipelines: { metrics: { receivers: ["hostmetrics"], exporters: ["otlphttp"] } },
  },
});

describe("a rollout to three supervisors with real Collectors", () => {
  it("stops a bad configuration at the first stage, and takes it back by itself", async () => {
    const world = await World.start();
    const good = await world.push(pipeline("good"), "immediate");
    await eventually(
      "all run the good one",
      async () => (await world.applied(good.config_hash)) === 3,
      30_000,
    );
    const bad = await world.push(pipeline("bad", "nosuch"), "quick");
    const { story } = await world.reaches(bad.rollout, "rolled-back");
    expect(story.map(({ event }) => event)).toEqual([
      "created",
      "stage-begun",
      "breached",
      "rollback-verified",
    ]);
    expect(await world.applied(good.config_hash)).toBe(3);
    expect(world.whoTried(bad.config_hash)).toHaveLength(1);
  });

  it("catches one that only shows in the Collector's figures, and takes it back", async () => {
    const world = await World.start();
    const sink = world.hosts[0]!.sink.exporter;
    const good = await world.push(collecting(sink), "immediate");
    await eventually(
      "all run the good one",
      async () => (await world.applied(good.config_hash)) === 3,
      30_000,
    );
    const lossy = collecting({ ...sink, endpoint: `http://127.0.0.1:${await freePort()}` });
    const { rollout, config_hash } = await world.push(lossy, "watchful");
    const { story } = await world.reaches(rollout, "rolled-back", 40_000);
    // The Agent itself had nothing against it.
    expect(story.map(({ event }) => event)).toContain("all-answered");
    const breach = story.find(({ event }) => event === "breached");
    expect(breach?.findings).toMatchObject([{ gate: "send_failures", level: "critical" }]);
    expect(breach?.findings[0]?.figure).toBeGreaterThan(0.5);
    expect(await world.applied(good.config_hash)).toBe(3);
    expect(world.whoTried(config_hash)).toHaveLength(1);
  });

  it("brings a good one to everybody, although the server is killed in mid-stage", async () => {
    const world = await World.start();
    const { rollout, config_hash } = await world.push(pipeline("good"), "quick");
    await eventually(
      "the first stage dwells",
      async () => (await world.rollout(rollout)).phase === "dwelling",
      30_000,
    );
    expect(await world.applied(config_hash)).toBe(1);
    await world.killServer();
    const again = await world.startServer();
    const { story } = await world.reaches(rollout, "done", 50_000);
    expect(await world.applied(config_hash)).toBe(3);
    const begun = story.filter(({ event }) => event === "stage-begun").map(({ stage }) => stage);
    expect(begun).toEqual([0, 1]);
    const offered = again.lines.filter(({ event }) => event === "config_offered");
    expect(offered).toHaveLength(2);
  });
});
