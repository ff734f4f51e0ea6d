import { readFileSync } from "node:fs";
import type { Figures } from "../../opamp/figures.ts";
import { type ProcessIdentity, readProcess } from "../collector/process-identity.ts";

/** Linux counts CPU time in hundredths of a second on every architecture Node runs on. */
const ticksPerSecond = 100;

/** What the kernel knows of a process; undefined if it has ended. Without /proc (macOS) only when it started. */
export function processFigures(process: ProcessIdentity, now: number): Figures["process"] {
  const entry = readProcess(process.pid);
  if (entry === undefined || entry.zombie || entry.startTime !== process.startTime) return undefined;
  return {
    id: process.startTime,
    started_at: Math.max(0, Math.round(now - entry.ageMs)),
    ...usageOf(process.pid),
  };
}

function usageOf(pid: number): { cpu_seconds?: number; rss_bytes?: number } {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name in field 2 is the program's to choose and may hold spaces and parentheses.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const ticks = Number(fields[11]) + Number(fields[12]);
    const [, kibibytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
    return {
      ...(Number.isFinite(ticks) && { cpu_seconds: ticks / ticksPerSecond }),
      ...(kibibytes !== undefined && { rss_bytes: Number(kibibytes) * 1_024 }),
    };
  } catch {
    // It has just ended, or /proc is hidden from this user.
    return {};
  }
}
