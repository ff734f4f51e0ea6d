import { readFile } from "node:fs/promises";
import { join } from "node:path";

/** Pid of the supervisor that uses, or used last without an end in good order, a state directory. */
export async function readSupervisorPid(directory: string): Promise<number | undefined> {
  const text = await readFile(join(directory, "supervisor.pid"), "utf8").catch(() => "");
  return /^\d+\n?$/.test(text) ? Number(text) : undefined;
}

/** Name of the systemd unit that a process belongs to; undefined where it is none, or cannot be told. */
export async function findServiceUnit(pid: number): Promise<string | undefined> {
  const cgroup = await readFile(`/proc/${pid}/cgroup`, "utf8").catch(() => "");
  return /\/system\.slice\/(?:[^\n]*\/)?([^/\n]+\.service)(?:\/|$)/m.exec(cgroup)?.[1];
}
