import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { isInstanceRunning } from "../../storage/single-instance.ts";

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

/** The environment of the supervisor that uses a state directory; undefined where none runs, or it may not be read. */
export async function readSupervisorEnvironment(
  directory: string,
): Promise<Readonly<Record<string, string>> | undefined> {
  // The pid of one that was killed may be another process's by now.
  const isRunning = await isInstanceRunning(directory).catch(() => false);
  const pid = isRunning ? await readSupervisorPid(directory) : undefined;
  return pid === undefined ? undefined : readProcessEnvironment(pid);
}

/** With what a process was started; undefined where that may not be read. */
export async function readProcessEnvironment(
  pid: number,
): Promise<Readonly<Record<string, string>> | undefined> {
  const text = await readFile(`/proc/${pid}/environ`, "utf8").catch(() => "");
  if (text === "") return undefined;
  const entries = text.split("\0").map((entry): [string, string] => {
    const at = entry.indexOf("=");
    return [entry.slice(0, at), entry.slice(at + 1)];
  });
  return Object.fromEntries(entries.filter(([name]) => name !== ""));
}
