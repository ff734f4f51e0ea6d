import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { openSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { eventually } from "../../test/support/eventually.ts";
import { cpuMilliseconds, rssOf } from "../processes.ts";

const launcher = fileURLToPath(new URL("../../bin/opamp-server", import.meta.url));
const preload = fileURLToPath(new URL("event-loop-preload.cjs", import.meta.url));

export interface TestedServerOptions {
  /** A folder of its own; what is kept of the run is there. */
  dir: string;
  postgresUrl: string | undefined;
  /** Writes a CPU profile into `dir` when it stops. */
  profile: boolean;
}

/** The built opamp-server, by its real launcher. */
export class TestedServer {
  readonly opampUrl: URL;
  readonly managementUrl: URL;
  readonly pid: number;
  readonly #child: ChildProcess;
  readonly #stalls: string;

  static async start({ dir, postgresUrl, profile }: TestedServerOptions): Promise<TestedServer> {
    const settings = join(dir, "server.yaml");
    const log = join(dir, "server.log");
    const stalls = join(dir, "stalls.jsonl");
    const storage =
      postgresUrl === undefined
        ? { directory: join(dir, "storage") }
        : { postgres_url: postgresUrl.replaceAll("$", "$$$$") };
    const listeners = { opamp: { endpoint: "127.0.0.1:0" }, management: { endpoint: "127.0.0.1:0" } };
    // JSON is YAML.
    await writeFile(settings, JSON.stringify({ ...listeners, storage }));
    await writeFile(stalls, "");
    const options = [`--require=${preload}`, ...(profile ? ["--cpu-prof", `--cpu-prof-dir=${dir}`] : [])];
    const output = openSync(log, "w");
    const child = spawn(launcher, ["--config", settings], {
      stdio: ["ignore", output, output],
      env: { ...process.env, NODE_OPTIONS: options.join(" "), OPAMP_BENCH_STALLS: stalls },
    });
    const listening = await eventually("opamp-server listens", () => {
      if (child.exitCode !== null) throw new Error(`it ended: ${readFileSync(log, "utf8")}`);
      return readFileSync(log, "utf8")
        .split("\n")
        .find((line) => line.includes('"listening"'));
    });
    const { opamp_url, management_url } = JSON.parse(listening) as Record<string, string>;
    return new TestedServer(child, stalls, { opamp: opamp_url ?? "", management: management_url ?? "" });
  }

  private constructor(child: ChildProcess, stalls: string, urls: { opamp: string; management: string }) {
    this.#child = child;
    this.#stalls = stalls;
    this.pid = child.pid ?? 0;
    this.opampUrl = new URL(urls.opamp);
    this.managementUrl = new URL(urls.management);
  }

  /** MiB. */
  get rss(): number {
    return rssOf([this.pid]);
  }

  /** Of all its threads so far. */
  get cpuMs(): number {
    return cpuMilliseconds([this.pid]);
  }

  /** The longest that its event loop stood still since `since` (Unix milliseconds), in milliseconds. */
  longestStall(since: number): number {
    const lines = readFileSync(this.#stalls, "utf8").trim().split("\n");
    const seen = lines.flatMap((line) =>
      line === "" ? [] : [JSON.parse(line) as { at: number; longestMs: number }],
    );
    return Math.max(0, ...seen.filter(({ at }) => at > since).map(({ longestMs }) => longestMs));
  }

  /** @throws Error with what the server says when it refuses. */
  async call<T>(method: "GET" | "POST", path: string, body?: string | object): Promise<T> {
    const isJson = typeof body === "object";
    const answer = await fetch(new URL(path, this.managementUrl), {
      method,
      ...(body === undefined
        ? {}
        : {
            body: isJson ? JSON.stringify(body) : body,
            headers: { "content-type": isJson ? "application/json" : "application/yaml" },
          }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text.slice(0, 500)}`);
    return JSON.parse(text) as T;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGTERM");
    await ended;
  }
}
