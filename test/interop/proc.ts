import { readdirSync, readFileSync, readlinkSync, realpathSync } from "node:fs";

/** The processes that `pid` started, and those that they started. Linux only, as everything here. */
export function descendants(pid: number): number[] {
  const parents = new Map<number, number>();
  for (const process of allPids()) {
    const stat = readProc(process, "stat");
    const parent = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1];
    if (parent !== undefined) parents.set(process, Number(parent));
  }
  const found: number[] = [];
  for (let generation = [pid]; generation.length > 0; ) {
    generation = [...parents].filter(([, parent]) => generation.includes(parent)).map(([child]) => child);
    found.push(...generation);
  }
  return found;
}

/** Whether the process runs this program; one that has ended does not. */
export function runs(pid: number, executable: string): boolean {
  try {
    return readlinkSync(`/proc/${pid}/exe`) === realpathSync(executable);
  } catch {
    return false;
  }
}

/** Every process that runs `executable` and was given an argument with `marker` in it. */
export function processesOf(executable: string, marker: string): number[] {
  return allPids().filter(
    (pid) => runs(pid, executable) && commandLine(pid).some((argument) => argument.includes(marker)),
  );
}

export function commandLine(pid: number): string[] {
  return readProc(pid, "cmdline").split("\0").slice(0, -1);
}

/** A file of `/proc/PID`; empty when the process ended in the meantime. */
export function readProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return "";
  }
}

function allPids(): number[] {
  return readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number);
}
