import { readdir, readFile, readlink } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { type ProcessIdentity, readProcess } from "./process-identity.ts";

/**
 * Finds a Collector that reads `configPath`, or another file below its folder, though no record names it: its
 * supervisor, which may have been the reference, died between starting it and writing the record, or the disk was
 * full. Without this look it would run twice.
 */
export async function findStrayCollector(configPath: string): Promise<ProcessIdentity | undefined> {
  if (process.platform !== "linux") return undefined;
  const folder = `${resolve(dirname(configPath))}/`;
  const found = new Map<number, { startTime: string; parent: number }>();
  for (const name of await readdir("/proc")) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    if (!(await readsBelow(pid, folder))) continue;
    const entry = readProcess(pid);
    if (entry !== undefined && !entry.zombie) found.set(pid, entry);
  }
  // A wrapper script passes its arguments on: the oldest of the family is the one that was started.
  for (const [pid, { startTime, parent }] of found) if (!found.has(parent)) return { pid, startTime };
  return undefined;
}

/** Whether the process was started with a configuration file below that folder. */
async function readsBelow(pid: number, folder: string): Promise<boolean> {
  const commandLine = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
  const args = commandLine.split("\0");
  const at = args.indexOf("--config");
  const path = at < 0 ? undefined : args[at + 1];
  // A check of a configuration ends by itself.
  if (path === undefined || args.slice(0, at).includes("validate")) return false;
  const from = path.startsWith("/") ? "/" : await readlink(`/proc/${pid}/cwd`).catch(() => "/");
  return resolve(from, path).startsWith(folder);
}
