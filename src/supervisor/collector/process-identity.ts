import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { uptime } from "node:os";

/** Names one process for good: a recycled pid has another start time. */
export interface ProcessIdentity {
  pid: number;
  /** Boot id and start time in the kernel's own unit; only equality means anything. */
  startTime: string;
}

/** What the process table says about a pid. */
export interface ProcessEntry {
  startTime: string;
  /** Ended, and not yet collected by its parent. */
  zombie: boolean;
  /** Process group id. */
  group: number;
  parent: number;
  /** Time since its start, in milliseconds. */
  ageMs: number;
}

/** Linux counts start times in hundredths of a second on every architecture Node runs on. */
const millisecondsPerTick = 10;

/** The process table's entry of `pid`, or undefined if there is none or it may not be seen. */
export function readProcess(pid: number): ProcessEntry | undefined {
  return process.platform === "linux" ? readProc(pid) : readPs(pid);
}

/** Whether exactly this process still runs. A zombie does not. */
export function isRunning({ pid, startTime }: ProcessIdentity): boolean {
  const entry = readProcess(pid);
  return entry !== undefined && entry.startTime === startTime && !entry.zombie;
}

function readProc(pid: number): ProcessEntry | undefined {
  let stat: string;
  let bootId: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    bootId = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    return undefined;
  }
  // The name in field 2 is the program's to choose and may hold spaces and parentheses.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state, parent, group] = fields;
  const ticks = fields[19];
  if (state === undefined || ticks === undefined) return undefined;
  return {
    startTime: `${bootId}/${ticks}`,
    zombie: state === "Z" || state === "X",
    group: Number(group),
    parent: Number(parent),
    ageMs: Math.max(0, uptime() * 1000 - Number(ticks) * millisecondsPerTick),
  };
}

/** Without /proc (macOS), `ps` knows the start time to the second. */
function readPs(pid: number): ProcessEntry | undefined {
  const { status, stdout } = spawnSync("ps", ["-o", "state=,ppid=,pgid=,lstart=", "-p", String(pid)], {
    encoding: "utf8",
    env: { ...process.env, LC_ALL: "C" },
  });
  const match = /^(\S+)\s+(\d+)\s+(\d+)\s+(.+?)\s*$/.exec(status === 0 ? stdout.trim() : "");
  if (match === null) return undefined;
  const [, state = "", parent, group, started = ""] = match;
  return {
    startTime: started,
    zombie: state.startsWith("Z"),
    group: Number(group),
    parent: Number(parent),
    ageMs: Math.max(0, Date.now() - Date.parse(started)),
  };
}
