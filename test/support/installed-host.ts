import { execFile } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { onTestFinished } from "vitest";
import { type AgentRemoteConfig, RemoteConfigStatuses } from "../../src/opamp/messages.ts";
import { collectorBinary } from "./collector.ts";
import { DebianMachine } from "./debian-machine.ts";
import { eventually } from "./eventually.ts";
import { freePort } from "./free-port.ts";
import { type OtlpSender, type SendReport, startOtlpSender } from "./otlp-sender.ts";
import { OtlpSink } from "./otlp-sink.ts";
import { RecordingOpampServer, remoteConfig } from "./recording-opamp-server.ts";

const root = new URL("../..", import.meta.url).pathname;

/** Makes a package of this machine's architecture in `folder` and resolves to its path. */
export async function makePackage(
  kind: "deb" | "rpm" | "tar",
  release: string,
  folder: string,
  options: readonly string[] = [],
): Promise<string> {
  const out = join(folder, release);
  const args = [
    "--arch",
    process.arch,
    "--format",
    kind,
    "--release",
    release,
    "--out",
    out,
    "--fast",
    ...options,
  ];
  await promisify(execFile)(process.execPath, [join(root, "scripts/package.mjs"), ...args], {
    env: { ...process.env, SOURCE_DATE_EPOCH: "1767225600" },
  });
  const name = readdirSync(out).find((entry) => /\.(?:deb|rpm|tar\.gz)$/.test(entry));
  if (name === undefined) throw new Error(`nothing was made in ${out}`);
  return join(out, name);
}

/** The settings file of an installation, and where the service keeps its state. */
export const settingsPath = "/etc/opamp-supervisor/supervisor.yaml";
export const statePath = "/var/lib/opamp-supervisor";

/** A booted Debian that has the Collector, with a server and a backend within its reach. */
export class InstalledHost {
  readonly machine: DebianMachine;
  readonly server: RecordingOpampServer;
  readonly sink: OtlpSink;
  readonly #otlpPort: number;

  static async boot(): Promise<InstalledHost> {
    const binary = collectorBinary();
    const server = await RecordingOpampServer.start();
    onTestFinished(() => server[Symbol.asyncDispose]());
    const sink = await OtlpSink.start();
    onTestFinished(() => sink[Symbol.asyncDispose]());
    const machine = await DebianMachine.boot();
    onTestFinished(() => machine[Symbol.asyncDispose]());
    machine.copyIn(binary, "/usr/local/bin/otelcol");
    return new InstalledHost({ machine, server, sink, otlpPort: await freePort() });
  }

  private constructor(parts: Pick<InstalledHost, "machine" | "server" | "sink"> & { otlpPort: number }) {
    this.machine = parts.machine;
    this.server = parts.server;
    this.sink = parts.sink;
    this.#otlpPort = parts.otlpPort;
  }

  /** Puts a deb or an rpm there and installs it; resolves to what was said. `rpmOption` is rpm's way of doing so. */
  async install(file: string, rpmOption = "--install"): Promise<string> {
    const there = `/srv/${basename(file)}`;
    this.machine.copyIn(file, there);
    const command = file.endsWith(".rpm") ? `rpm --nodeps ${rpmOption}` : "dpkg --install";
    return this.machine.sh(`${command} ${there} 2>&1`);
  }

  /** Settings by which it reports to the server and takes its configurations. */
  get settings() {
    return {
      server: { endpoint: `ws://127.0.0.1:${this.server.port}/v1/opamp` },
      capabilities: { accepts_remote_config: true, reports_remote_config: true },
      storage: { directory: statePath },
      agent: { executable: "/usr/local/bin/otelcol", bootstrap_timeout: "15s", config_apply_timeout: "15s" },
    };
  }

  /** Writes the settings as the message after an installation says. */
  async configure(): Promise<void> {
    this.write(settingsPath, JSON.stringify(this.settings));
    await this.machine.sh(`chgrp opamp-supervisor ${settingsPath} && chmod 640 ${settingsPath}`);
  }

  /** Makes it collect: starts the service and offers a pipeline from otlp to the backend. */
  async startCollecting(): Promise<AgentRemoteConfig> {
    await this.machine.sh("systemctl start opamp-supervisor");
    return this.offerPipeline();
  }

  /** A pipeline from otlp to the backend; another `level` makes it another configuration. */
  offerPipeline(level = "info"): Promise<AgentRemoteConfig> {
    return this.apply(this.#pipeline(level));
  }

  /** Offers a configuration and waits until it is APPLIED. */
  async apply(content: object): Promise<AgentRemoteConfig> {
    const config = remoteConfig({ "": content });
    const from = this.server.mark;
    this.server.offer(config);
    const { status, errorMessage } = await this.server.verdict(config, from);
    if (status !== RemoteConfigStatuses.RemoteConfigStatuses_APPLIED)
      throw new Error(`FAILED: ${errorMessage}`);
    return config;
  }

  #pipeline(level: string) {
    return {
      receivers: { otlp: { protocols: { http: { endpoint: `127.0.0.1:${this.#otlpPort}` } } } },
      exporters: { otlphttp: { ...this.sink.exporter, retry_on_failure: { initial_interval: "50ms" } } },
      service: {
        telemetry: { metrics: { level: "none" }, logs: { level } },
        pipelines: { logs: { receivers: ["otlp"], exporters: ["otlphttp"] } },
      },
    };
  }

  /** Begins to send records to the Collector. */
  send(): OtlpSender {
    const sender = startOtlpSender({ endpoint: `http://127.0.0.1:${this.#otlpPort}` });
    let stopped: Promise<SendReport> | undefined;
    const stop = () => {
      stopped ??= sender.stop();
      return stopped;
    };
    onTestFinished(async () => void (await stop()));
    return { ...sender, stop };
  }

  /** Whatever `change` does, no record is refused meanwhile and none is lost, and the Collector is the same. */
  async expectDataFlowsThrough(change: () => Promise<unknown>): Promise<void> {
    const before = await this.collectorPid();
    const sender = this.send();
    await sender.accepted();
    await change();
    await sender.accepted();
    const { refused, accepted } = await sender.stop();
    if (refused.length > 0) throw new Error(`${refused.length} of ${accepted.length} records were refused`);
    await this.sink.waitFor(accepted);
    const after = await this.collectorPid();
    if (after !== before) throw new Error(`the Collector is another one: ${before} before, ${after} now`);
  }

  /** Resolves when the server was told, since `from`, that the Collector is healthy. */
  async healthy(from: number): Promise<void> {
    await this.server.reported("health", ({ healthy }) => healthy, from);
  }

  /** Pid of the one Collector that runs. */
  collectorPid(): Promise<string> {
    return eventually("one Collector", async () => {
      const pids = await this.collectors();
      return pids.length === 1 && pids[0];
    });
  }

  /** Pids of all Collectors that run. */
  async collectors(): Promise<string[]> {
    const { stdout } = await this.machine.run("pgrep -f '^/usr/local/bin/otelcol --config'");
    return stdout.split("\n").filter(Boolean);
  }

  /** A property of the service, as systemd has it. */
  property(name: string): Promise<string> {
    return this.machine.sh(`systemctl show --property=${name} --value opamp-supervisor`);
  }

  /** Resolves when a property of the service has that value. */
  async becomes(name: string, value: string): Promise<void> {
    await eventually(`${name} is ${value}`, async () => (await this.property(name)) === value, 30_000);
  }

  read(path: string): string {
    return readFileSync(join(this.machine.root, path), "utf8");
  }

  write(path: string, text: string): void {
    writeFileSync(join(this.machine.root, path), text);
  }

  /** A drop-in for the unit, with these lines in [Service]. */
  async dropIn(...lines: string[]): Promise<void> {
    const folder = "/etc/systemd/system/opamp-supervisor.service.d";
    await this.machine.sh(`mkdir -p ${folder}`);
    this.write(`${folder}/test.conf`, `[Service]\n${lines.join("\n")}\n`);
    await this.machine.sh("systemctl daemon-reload");
  }
}
