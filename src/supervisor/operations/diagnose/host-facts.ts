import { execFile } from "node:child_process";
import { readdir, readFile, statfs } from "node:fs/promises";
import { arch, cpus, freemem, hostname, loadavg, release, totalmem, uptime } from "node:os";
import { promisify } from "node:util";
import { describeError } from "../../../foundation/errors.ts";

/** Their values say how a process runs, and nothing of what it knows. */
const shownVariables =
  /^(?:PATH|PWD|HOME|USER|LANG|LANGUAGE|LC_\w+|TZ|TERM|TMPDIR|GOMEMLIMIT|GOMAXPROCS|GOGC|GODEBUG|NODE_EXTRA_CA_CERTS|NODE_OPTIONS|SSL_CERT_FILE|SSL_CERT_DIR|(?:HTTP|HTTPS|NO|ALL)_PROXY|INVOCATION_ID|NOTIFY_SOCKET|WATCHDOG_USEC|STATE_DIRECTORY|RUNTIME_DIRECTORY|LOGS_DIRECTORY|KUBERNETES_SERVICE_HOST|OPAMP_PACKAGES)$/i;

const unitProperties = [
  ...["LoadState", "ActiveState", "SubState", "Result", "UnitFileState", "MainPID", "NRestarts"],
  ...["ExecMainStatus", "ActiveEnterTimestamp", "MemoryCurrent", "MemoryMax", "TasksCurrent", "FragmentPath"],
  ...["DropInPaths", "ConditionResult", "WatchdogUSec", "StatusText"],
];

/** Names of variables, and the values of those that are no secret in any program. */
export function describeEnvironment(environment: Readonly<Record<string, string | undefined>>): string {
  const lines = Object.entries(environment)
    .filter(([, value]) => value !== undefined)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => (shownVariables.test(name) ? `${name}=${value}` : `${name} (value not shown)`));
  return `${lines.join("\n")}\n`;
}

/** Machine, memory, disks, and the processes `pids` by their names. */
export async function describeMachine(
  pids: Readonly<Record<string, number | undefined>>,
  folders: readonly string[],
): Promise<string> {
  const os = await readFile("/etc/os-release", "utf8").catch(() => "");
  const name = /^PRETTY_NAME="?(.*?)"?$/m.exec(os)?.[1] ?? "unknown";
  const limit = await readFile("/sys/fs/cgroup/memory.max", "utf8").catch(() => "unknown");
  const lines = [
    `host        ${hostname()}, ${name}, kernel ${release()}, ${arch()}, ${cpus().length} CPUs`,
    `time        ${new Date().toISOString()}, up ${Math.round(uptime())} s, load ${loadavg()
      .map((load) => load.toFixed(2))
      .join(" ")}`,
    `memory      ${mib(freemem())} free of ${mib(totalmem())}; limit of this cgroup: ${limit.trim()}`,
  ];
  for (const folder of new Set(folders)) lines.push(`disk        ${folder}: ${await describeDisk(folder)}`);
  for (const [what, pid] of Object.entries(pids))
    lines.push(`${what.padEnd(10)}  ${pid === undefined ? "does not run" : await describeProcess(pid)}`);
  return `${lines.join("\n")}\n`;
}

/** What systemd says of a unit. */
export async function describeUnit(unit: string): Promise<string> {
  const args = ["show", unit, "--no-pager", `--property=${unitProperties.join(",")}`];
  try {
    return (await promisify(execFile)("systemctl", args, { timeout: 5_000 })).stdout;
  } catch (error) {
    return `${unit}: systemctl cannot be asked: ${describeError(error).split("\n", 1)[0]}\n`;
  }
}

async function describeDisk(folder: string): Promise<string> {
  try {
    const { bavail, blocks, bsize, ffree, files } = await statfs(folder);
    return `${mib(bavail * bsize)} free of ${mib(blocks * bsize)}, ${ffree} of ${files} inodes free`;
  } catch (error) {
    return describeError(error);
  }
}

async function describeProcess(pid: number): Promise<string> {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  const field = (name: string) => new RegExp(`^${name}:\\s*(.*)$`, "m").exec(status)?.[1] ?? "?";
  const descriptors = await readdir(`/proc/${pid}/fd`).catch(() => undefined);
  const open = descriptors === undefined ? "?" : String(descriptors.length);
  const memory = `RSS ${field("VmRSS")}, peak ${field("VmHWM")}, swapped ${field("VmSwap")}`;
  return `pid ${pid}, user ${field("Uid").split("\t")[0]}, ${memory}, ${field("Threads")} threads, ${open} open files`;
}

const mib = (bytes: number) => `${Math.round(bytes / 1_048_576)} MiB`;
