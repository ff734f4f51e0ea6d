import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { basename } from "node:path";
import { errorCode } from "../../foundation/errors.ts";
import { readProcess } from "./process-identity.ts";

/**
 * Signals every process of a group. False if none is left.
 * @throws the system's EPERM when they belong to another user and CAP_KILL is missing.
 */
export function signalGroup(group: number, signal: NodeJS.Signals | 0): boolean {
  // kill(-1) would signal every process of the host.
  if (!Number.isInteger(group) || group <= 1) throw new RangeError(`not a process group id: ${group}`);
  try {
    return process.kill(-group, signal);
  } catch (error) {
    if (errorCode(error) === "ESRCH") return false;
    throw error;
  }
}

/** Whether a process of the group still runs. Zombies, which a pid 1 that collects none leaves behind, do not count. */
export function isGroupRunning(group: number): boolean {
  try {
    if (!signalGroup(group, 0)) return false;
  } catch {
    return true;
  }
  if (process.platform !== "linux") return true;
  return readdirSync("/proc").some((name) => {
    if (!/^\d+$/.test(name)) return false;
    const entry = readProcess(Number(name));
    return entry !== undefined && entry.group === group && !entry.zombie;
  });
}

/** Programs that run another program: their own reaction to SIGHUP is to die. */
const interpreters =
  /^(?:ba|da|a|z|k|mk|fi|c|tc|rba)?sh$|^(?:busybox|env|setpriv|sudo|su|tini|dumb-init)$|^(?:python|perl|ruby|node)[\d.]*$/;

/**
 * Whether the process is a script or launcher around the Collector rather than the Collector itself:
 * an interpreter, or one that has children in its own process group.
 */
export function isWrapperProcess(pid: number): boolean {
  const program = programName(pid);
  if (program !== undefined && interpreters.test(program)) return true;
  const group = readProcess(pid)?.group;
  return childrenOf(pid).some((child) => readProcess(child)?.group === group);
}

function programName(pid: number): string | undefined {
  try {
    return basename(readlinkSync(`/proc/${pid}/exe`).replace(/ \(deleted\)$/, ""));
  } catch {
    // Another user's executable may not be looked at; its command line may.
  }
  try {
    const [first = ""] = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
    return first === "" ? undefined : basename(first);
  } catch {
    return undefined;
  }
}

function childrenOf(pid: number): number[] {
  try {
    // A child belongs to the thread that forked it.
    return readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
      readFileSync(`/proc/${pid}/task/${thread}/children`, "utf8").split(" ").filter(Boolean).map(Number),
    );
  } catch {
    return [];
  }
}
