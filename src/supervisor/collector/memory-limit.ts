import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { describeError } from "../../foundation/errors.ts";
import type { Logger } from "../../foundation/logger.ts";
import { findCgroup2 } from "./oom.ts";

/** `agent.memory_limit`, and who holds the Collector to it. */
export interface MemoryLimit {
  readonly bytes: number;
  /** Why the kernel does not; undefined where it does, by a cgroup that only the Collector is in. */
  readonly notHeld: string | undefined;
  /** GOMEMLIMIT of the Collector, as `agent.env` has it or as it follows from the limit. */
  readonly goMemLimit: string;
  /** Puts a process under the limit; it takes what it has allocated so far along. */
  admit(pid: number): void;
}

interface Files {
  /** Text of /proc/self/cgroup and /proc/self/mountinfo. */
  cgroup: string;
  mountinfo: string;
}

/** Share of the limit at which Go begins to work for its memory: what it does not count needs room too. */
const goShare = 0.9;
/** As DelegateSubgroup= of the drop-in has it: what is in it was given to us to divide. */
const ourGroup = "supervisor";
const collectorGroup = "collector";

/** GOMEMLIMIT for a Collector that may take `bytes`. */
export const goMemLimitOf = (bytes: number) => `${Math.floor((bytes * goShare) / 1_048_576)}MiB`;

/**
 * Makes the cgroup for the Collector, where this supervisor was given one to divide; the supervisor's own is
 * never limited. What keeps the kernel from it is no reason not to run.
 */
export function openMemoryLimit(
  bytes: number | undefined,
  env: Readonly<Record<string, string>>,
  { logger, files = readFiles() }: { logger: Logger; files?: Files },
): MemoryLimit | undefined {
  const place = findPlace(files);
  if (bytes === undefined) {
    // A Collector that was left running may be in one with a limit that nobody wants any more.
    if (place.t === "ours") attempt(() => writeFileSync(join(place.directory, "memory.max"), "max"));
    return undefined;
  }
  const problem = place.t === "ours" ? attempt(() => divide(place.directory, bytes)) : place.reason;
  const goMemLimit = env.GOMEMLIMIT ?? goMemLimitOf(bytes);
  const fields = { event: "memory_limit", bytes, gomemlimit: goMemLimit, cgroup: problem ?? "holds" };
  logger.info(
    fields,
    problem === undefined
      ? "the kernel holds the Collector to agent.memory_limit"
      : "only the Go runtime holds the Collector to agent.memory_limit",
  );
  return {
    bytes,
    notHeld: problem,
    goMemLimit,
    admit: (pid) => {
      if (place.t !== "ours" || problem !== undefined) return;
      const why = attempt(() => writeFileSync(join(place.directory, "cgroup.procs"), String(pid)));
      if (why === undefined) return;
      logger.error(
        { event: "memory_limit_failed", pid, error: why },
        "the Collector cannot be put under its limit",
      );
    },
  };
}

type Place = { t: "ours"; directory: string } | { t: "none"; reason: string };

function findPlace({ cgroup, mountinfo }: Files): Place {
  const own = findCgroup2(cgroup, mountinfo);
  if (own === undefined) return { t: "none", reason: "there is no cgroup v2 here" };
  if (basename(own) !== ourGroup) {
    const reason = `no cgroup was delegated: it takes Delegate=memory and DelegateSubgroup=${ourGroup} (the drop-in memory-limit.conf)`;
    return { t: "none", reason };
  }
  return { t: "ours", directory: join(dirname(own), collectorGroup) };
}

/** @throws system errors, for one of which the reason is that the group was not delegated after all. */
function divide(directory: string, bytes: number): void {
  const parent = dirname(directory);
  const controllers = readFileSync(join(parent, "cgroup.controllers"), "utf8").split(/\s/);
  if (!controllers.includes("memory")) throw new Error("the memory controller was not delegated");
  writeFileSync(join(parent, "cgroup.subtree_control"), "+memory");
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, "memory.max"), String(bytes));
}

function attempt(action: () => void): string | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    return describeError(error);
  }
}

function readFiles(): Files {
  const text = (file: string) => {
    try {
      return readFileSync(file, "utf8");
    } catch {
      return "";
    }
  };
  return { cgroup: text("/proc/self/cgroup"), mountinfo: text("/proc/self/mountinfo") };
}
