import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { Host } from "../../test/interop/host.ts";
import { monotonicMs } from "../../test/interop/line-program.ts";
import { commandLine } from "../../test/interop/proc.ts";
import type { Measurement, Samples } from "../measurement.ts";
import { cpuMilliseconds, environmentOf, memoryOf } from "../processes.ts";

const settleMs = 5000;
const idleMs = 30_000;

/** What the supervisor itself costs while nothing happens; the Collector is not counted. */
export function createIdle(): Measurement {
  // Known once our supervisor ran; the subjects' order puts it before the empty Node.
  let nodeSettings: NodeSettings | undefined;
  return {
    name: "idle",
    subjects: new Set(["ours", "reference", "empty-node"]),
    rows: [
      { id: "idle.rss", title: "idle: RSS", unit: "MiB" },
      { id: "idle.pss", title: "idle: PSS (Node subjects share pages with the bench itself)", unit: "MiB" },
      { id: "idle.anonymous", title: "idle: anonymous memory", unit: "MiB" },
      { id: "idle.cpu", title: "idle: CPU per second", unit: "ms" },
    ],
    async run(subject) {
      if (subject.kind === "empty-node") {
        // With other flags it would be no measure of ours.
        if (nodeSettings === undefined)
          throw new Error("the flags of our supervisor are not known: measure it too");
        return emptyNode(subject.executable, nodeSettings);
      }
      await using host = await Host.running(subject);
      await delay(settleMs);
      const pids = host.supervisorPids();
      if (subject.kind === "ours") nodeSettings = nodeSettingsOf(pids);
      // Without await the host would end before it was watched.
      return await watch(pids);
    },
  };
}

interface NodeSettings {
  flags: string[];
  environment: Record<string, string>;
}

async function watch(pids: readonly number[]): Promise<Samples> {
  const cpuBefore = cpuMilliseconds(pids);
  const before = monotonicMs();
  await delay(idleMs);
  const cpu = (cpuMilliseconds(pids) - cpuBefore) / ((monotonicMs() - before) / 1000);
  const { rss, pss, anonymous } = memoryOf(pids);
  return { "idle.rss": [rss], "idle.pss": [pss], "idle.anonymous": [anonymous], "idle.cpu": [cpu] };
}

/** The flags between Node and the program's file, and what of the environment changes its memory. */
function nodeSettingsOf(pids: readonly number[]): NodeSettings | undefined {
  for (const pid of pids) {
    const [program = "", ...rest] = commandLine(pid);
    if (!program.endsWith("node")) continue;
    const end = rest.findIndex((argument) => !argument.startsWith("-"));
    const names = ["MALLOC_ARENA_MAX", "NODE_OPTIONS", "UV_THREADPOOL_SIZE"];
    const known = names.map((name) => [name, environmentOf(pid, name)] as const);
    return {
      flags: rest.slice(0, Math.max(0, end)),
      environment: Object.fromEntries(
        known.filter((pair): pair is [string, string] => pair[1] !== undefined),
      ),
    };
  }
  return undefined;
}

/** A Node that does nothing, with the same flags: what a supervisor on Node cannot go below. */
async function emptyNode(executable: string, settings: NodeSettings): Promise<Samples> {
  const child = spawn(executable, [...settings.flags, "--eval", "setInterval(() => {}, 2 ** 30)"], {
    stdio: "ignore",
    env: { ...process.env, ...settings.environment },
  });
  const exited = once(child, "exit");
  try {
    await delay(settleMs);
    return await watch([child.pid ?? 0]);
  } finally {
    child.kill("SIGKILL");
    await exited;
  }
}
