import { readdirSync, writeFileSync } from "node:fs";
import { readProc } from "../test/interop/proc.ts";

/** Memory of one or more processes in MiB, of `/proc/PID/smaps_rollup`. */
export interface Memory {
  rss: number;
  pss: number;
  anonymous: number;
}

/** Sums over the processes. */
export function memoryOf(pids: readonly number[]): Memory {
  const total: Memory = { rss: 0, pss: 0, anonymous: 0 };
  for (const pid of pids) {
    const rollup = readProc(pid, "smaps_rollup");
    const mib = (key: string) =>
      Number(new RegExp(`^${key}:\\s+(\\d+) kB`, "m").exec(rollup)?.[1] ?? 0) / 1024;
    total.rss += mib("Rss");
    total.pss += mib("Pss");
    total.anonymous += mib("Anonymous");
  }
  return total;
}

/** Resident memory of the processes now, in MiB. */
export function rssOf(pids: readonly number[]): number {
  return sumOfStatus(pids, "VmRSS");
}

/** The most that each was since {@link forgetPeaks}, added up, in MiB. */
export function peakRss(pids: readonly number[]): number {
  return sumOfStatus(pids, "VmHWM");
}

/** Has the kernel count peaks from now on. */
export function forgetPeaks(pids: readonly number[]): void {
  for (const pid of pids) writeFileSync(`/proc/${pid}/clear_refs`, "5");
}

function sumOfStatus(pids: readonly number[], key: string): number {
  const line = new RegExp(`^${key}:\\s+(\\d+) kB`, "m");
  return pids.reduce((sum, pid) => sum + Number(line.exec(readProc(pid, "status"))?.[1] ?? 0) / 1024, 0);
}

/** CPU time of all threads of the processes in milliseconds, as finely as the scheduler counts it. */
export function cpuMilliseconds(pids: readonly number[]): number {
  let nanoseconds = 0;
  for (const pid of pids) {
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      nanoseconds += Number(readProc(pid, `task/${thread}/schedstat`).split(" ")[0]);
    }
  }
  return nanoseconds / 1e6;
}

/** The value of an environment variable at the start of the process. */
export function environmentOf(pid: number, name: string): string | undefined {
  const line = readProc(pid, "environ")
    .split("\0")
    .find((entry) => entry.startsWith(`${name}=`));
  return line?.slice(name.length + 1);
}
