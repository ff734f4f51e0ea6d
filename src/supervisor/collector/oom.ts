import { readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";

/** Tells whether the kernel's out-of-memory killer struck a cgroup since the watch began. */
export interface OomWatch {
  struck(): boolean;
  /** It did because this very cgroup was at its limit, and not the whole host. */
  overLimit?(): boolean;
}

/** Watches the cgroup that `pid` is in now. Where there is no counter to read, it never strikes. */
export function watchOomKills(pid: number): OomWatch {
  const counterFiles = findOomCounters(readText(`/proc/${pid}/cgroup`), readText("/proc/self/mountinfo"));
  return watchOomCounter(counterFiles);
}

/** Watches the first of `files` that holds an `oom_kill` line. */
export function watchOomCounter(files: readonly string[]): OomWatch {
  const file = files.find((candidate) => readCounter(candidate) !== undefined);
  if (file === undefined) return { struck: () => false };
  const grows = (name: "oom_kill" | "oom") => {
    const before = readCounter(file, name) ?? 0;
    return () => (readCounter(file, name) ?? before) > before;
  };
  return { struck: grows("oom_kill"), overLimit: grows("oom") };
}

/** Directory of the cgroup (version 2) that a process is in; takes the same texts. */
export function findCgroup2(cgroup: string, mountinfo: string): string | undefined {
  const file = findOomCounters(cgroup, mountinfo).find((each) => basename(each) === "memory.events");
  return file === undefined ? undefined : dirname(file);
}

/**
 * Where the counter of a process may be: `memory.events` (cgroup 2), then `memory.oom_control` (cgroup 1).
 * Takes the text of /proc/PID/cgroup and /proc/self/mountinfo.
 */
export function findOomCounters(cgroup: string, mountinfo: string): string[] {
  const mounts = mountinfo.split("\n").flatMap((line) => {
    const [mount = "", filesystem = ""] = line.split(" - ");
    const [, , , root, mountPoint] = mount.split(" ");
    const [type, , options = ""] = filesystem.split(" ");
    return root === undefined || mountPoint === undefined ? [] : [{ root, mountPoint, type, options }];
  });
  const membership = cgroup.split("\n").map((line) => {
    const [id = "", controllers = "", ...path] = line.split(":");
    return { id, controllers: controllers.split(","), path: path.join(":") };
  });
  const places = [
    {
      mount: mounts.find(({ type }) => type === "cgroup2"),
      path: membership.find(({ id }) => id === "0")?.path,
      file: "memory.events",
    },
    {
      mount: mounts.find(({ type, options }) => type === "cgroup" && options.split(",").includes("memory")),
      path: membership.find(({ controllers }) => controllers.includes("memory"))?.path,
      file: "memory.oom_control",
    },
  ];
  return places.flatMap(({ mount, path, file }) =>
    mount === undefined || path === undefined ? [] : [join(mount.mountPoint, below(mount.root, path), file)],
  );
}

/** A container sees a part of the hierarchy mounted, and its path may be told from the host's root. */
function below(root: string, path: string): string {
  if (root === "/") return path;
  if (path === root) return "/";
  return path.startsWith(`${root}/`) ? path.slice(root.length) : "/";
}

function readCounter(file: string, name: "oom_kill" | "oom" = "oom_kill"): number | undefined {
  const match = new RegExp(`^${name} (\\d+)$`, "m").exec(readText(file));
  return match === null ? undefined : Number(match[1]);
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
