import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { findOomCounters, watchOomCounter, watchOomKills } from "../../../../src/supervisor/collector/oom.ts";

const v2 = "31 23 0:28 / /sys/fs/cgroup rw,relatime - cgroup2 cgroup2 rw,nsdelegate";

describe("findOomCounters", () => {
  it("finds the counter of cgroup 2", () => {
    const file = "/sys/fs/cgroup/system.slice/otel.service/memory.events";
    expect(findOomCounters("0::/system.slice/otel.service\n", v2)).toEqual([file]);
  });

  it("finds it in a container that sees only its own part of the hierarchy", () => {
    const mount = "31 23 0:28 /docker/abc /sys/fs/cgroup ro,relatime - cgroup2 cgroup rw";
    expect(findOomCounters("0::/docker/abc/x", mount)).toEqual(["/sys/fs/cgroup/x/memory.events"]);
    expect(findOomCounters("0::/docker/abc", mount)).toEqual(["/sys/fs/cgroup/memory.events"]);
  });

  it("finds the counter of cgroup 1", () => {
    const mount = "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory";
    const file = "/sys/fs/cgroup/memory/a:b/memory.oom_control";
    expect(findOomCounters("4:cpu,memory:/a:b\n0::/\n", mount)).toEqual([file]);
  });

  it("finds none where there is none", () => {
    expect(findOomCounters("", "")).toEqual([]);
  });
});

describe("watchOomCounter", () => {
  it("strikes only when oom_kill has risen since the watch began", async () => {
    const directory = await mkdtemp(join(tmpdir(), "oom-"));
    const file = join(directory, "memory.events");
    await writeFile(file, "low 0\nmax 7\noom 3\noom_kill 2\n");
    const watch = watchOomCounter([join(directory, "missing"), file]);
    expect(watch.struck()).toBe(false);
    await writeFile(file, "low 0\nmax 9\noom 4\noom_kill 2\n");
    expect(watch.struck()).toBe(false);
    await writeFile(file, "low 0\nmax 9\noom 4\noom_kill 3\n");
    expect(watch.struck()).toBe(true);
    await rm(directory, { recursive: true });
    expect(watch.struck()).toBe(false);
  });

  it("never strikes without a counter", () => {
    expect(watchOomCounter([]).struck()).toBe(false);
    expect(watchOomKills(process.pid).struck()).toBe(false);
  });
});
