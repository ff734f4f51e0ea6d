import { readdir, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { type ProcessIdentity, readProcess } from "./process-identity.ts";

/**
 * Finds a Collector that reads `configPath`, or another file below its folder, though no record names it: its
 * supervisor died between starting it and writing the record, or the disk was full. Without this look it
 * would run twice.
 */
export async function findStrayCollector(configPath: string): Promise<ProcessIdentity | undefined> {
  if (process.platform !== "linux") return undefined;
  const folder = `${dirname(configPath)}/`;
  for (const name of await readdir("/proc")) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    const commandLine = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
    const args = commandLine.split("\0");
    const at = args.indexOf("--config");
    // A check of a configuration ends by itself.
    if (at < 0 || args[at + 1]?.startsWith(folder) !== true || args.slice(0, at).includes("validate"))
      continue;
    const entry = readProcess(pid);
    // A wrapper script passes its arguments on: the oldest of the family is the one that was started.
    if (entry === undefined || entry.zombie || entry.group !== pid) continue;
    return { pid, startTime: entry.startTime };
  }
  return undefined;
}
