import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { commandLine } from "../../test/interop/proc.ts";
import { collectorBinary } from "../../test/support/collector.ts";
import { cpuMilliseconds, environmentOf, memoryOf } from "../processes.ts";

/** What one start took: CPU time in ms until it works, then memory in MiB. */
export interface Footprint {
  cpu: number;
  rss: number;
  anonymous: number;
}

/** How Node is run: an empty one is run the same. */
export interface NodeCommand {
  program: string;
  flags: string[];
  environment: Record<string, string>;
}

const launcher = join(import.meta.dirname, "../../bin/opamp-supervisor");
/** Between "it works" and the look at its memory: what is only left over from the start goes meanwhile. */
const settleMs = 2_000;

/** A supervisor with a real Collector and no server, from exec to its line "started". */
export async function measureSupervisor(): Promise<{ footprint: Footprint; command: NodeCommand }> {
  const dir = await mkdtemp(join(tmpdir(), "opamp-footprint-"));
  try {
    const settings = join(dir, "supervisor.yaml");
    const content = {
      server: { endpoint: "ws://127.0.0.1:9/v1/opamp" },
      capabilities: { accepts_remote_config: true },
      storage: { directory: join(dir, "state") },
      agent: { executable: collectorBinary(), bootstrap_timeout: "30s" },
    };
    await writeFile(settings, JSON.stringify(content));
    const measured = await measure(launcher, ["--config", settings], {}, (line) =>
      line.includes('"event":"started"'),
    );
    return measured;
  } finally {
    await rm(dir, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** A Node that only says that it runs. */
export async function measureEmptyNode({ program, flags, environment }: NodeCommand): Promise<Footprint> {
  const script = 'console.log("started"); setInterval(() => {}, 2 ** 30)';
  const args = [...flags, "--eval", script];
  return (await measure(program, args, environment, (line) => line === "started")).footprint;
}

async function measure(
  program: string,
  args: string[],
  environment: Record<string, string>,
  isStarted: (line: string) => boolean,
): Promise<{ footprint: Footprint; command: NodeCommand }> {
  const child = spawn(program, args, {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, ...environment },
  });
  const exited = once(child, "exit");
  const pid = child.pid ?? 0;
  try {
    await new Promise<void>((resolve, reject) => {
      createInterface({ input: child.stdout }).on("line", (line) => isStarted(line) && resolve());
      void exited.then(() => reject(new Error(`${program} ended before it had started`)));
    });
    const cpu = cpuMilliseconds([pid]);
    const command = commandOf(pid);
    await delay(settleMs);
    const { rss, anonymous } = memoryOf([pid]);
    return { footprint: { cpu, rss, anonymous }, command };
  } finally {
    child.kill("SIGTERM");
    await exited;
  }
}

/** The flags between Node and the program's file, and what of the environment changes its memory. */
function commandOf(pid: number): NodeCommand {
  const [program = "", ...rest] = commandLine(pid);
  const end = rest.findIndex((argument) => !argument.startsWith("-"));
  const arenas = environmentOf(pid, "MALLOC_ARENA_MAX");
  return {
    program,
    flags: rest.slice(0, Math.max(0, end)),
    environment: arenas === undefined ? {} : { MALLOC_ARENA_MAX: arenas },
  };
}
