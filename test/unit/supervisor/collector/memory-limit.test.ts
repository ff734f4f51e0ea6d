import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type LogFields, silentLogger } from "../../../../src/foundation/logger.ts";
import { openMemoryLimit } from "../../../../src/supervisor/collector/memory-limit.ts";
import { watchOomCounter } from "../../../../src/supervisor/collector/oom.ts";
import { describeExit } from "../../../../src/supervisor/collector/process-exit.ts";
import { tempDir } from "../../../support/temp-dir.ts";

const limit = 256 * 1_048_576;

/** Ordinary files where a kernel has a service's cgroup; only its own could refuse what is written. */
function service({ controllers = "memory pids", subgroup = "supervisor" } = {}) {
  const mount = tempDir();
  const unit = join(mount, "system.slice/otel.service");
  mkdirSync(join(unit, "supervisor"), { recursive: true });
  writeFileSync(join(unit, "cgroup.controllers"), `${controllers}\n`);
  const files = {
    cgroup: `0::/system.slice/otel.service/${subgroup}\n`,
    mountinfo: `31 23 0:28 / ${mount} rw,relatime - cgroup2 cgroup2 rw`,
  };
  const lines: LogFields[] = [];
  const note = (fields: LogFields) => void lines.push(fields);
  const logger = { ...silentLogger, info: note, error: note };
  const open = (bytes: number | undefined, env = {}) => openMemoryLimit(bytes, env, { logger, files });
  const read = (name: string) => readFileSync(join(unit, name), "utf8");
  return { unit, open, read, lines };
}

describe("agent.memory_limit", () => {
  it("is held by the kernel where a cgroup was delegated, and never on the supervisor itself", () => {
    const { open, read, lines } = service();
    const memory = open(limit);
    expect(memory).toMatchObject({ bytes: limit, notHeld: undefined, goMemLimit: "230MiB" });
    expect(read("cgroup.subtree_control")).toBe("+memory");
    expect(read("collector/memory.max")).toBe("268435456");
    expect(() => read("supervisor/memory.max")).toThrow("ENOENT");
    memory?.admit(4711);
    expect(read("collector/cgroup.procs")).toBe("4711");
    expect(lines).toEqual([{ event: "memory_limit", bytes: limit, gomemlimit: "230MiB", cgroup: "holds" }]);
  });

  it.each([
    [{ subgroup: "" }, /no cgroup was delegated/],
    [{ controllers: "pids" }, /memory controller was not delegated/],
  ])("says why it is only Go's where it is, and runs: %j", (options, reason) => {
    const { open, read, lines } = service(options);
    const memory = open(limit);
    expect(memory?.notHeld).toMatch(reason);
    memory?.admit(4711);
    expect(() => read("collector/cgroup.procs")).toThrow("ENOENT");
    expect(lines).toHaveLength(1);
  });

  it("leaves GOMEMLIMIT to agent.env", () => {
    expect(service().open(limit, { GOMEMLIMIT: "100MiB" })?.goMemLimit).toBe("100MiB");
  });

  it("is taken from a Collector that still is in its cgroup when nobody wants it any more", () => {
    const { open, read } = service();
    open(limit);
    expect(open(undefined)).toBeUndefined();
    expect(read("collector/memory.max")).toBe("max");
  });

  it("says so when a Collector cannot be put under it", () => {
    const { unit, open, lines } = service();
    const memory = open(limit);
    mkdirSync(join(unit, "collector/cgroup.procs"));
    memory?.admit(1);
    expect(lines.at(-1)).toMatchObject({ event: "memory_limit_failed", pid: 1 });
  });
});

describe("a death by it", () => {
  const events = (oom: number, kills: number) => `low 0\nhigh 0\nmax 9\noom ${oom}\noom_kill ${kills}\n`;

  it("is told from one for want of memory on the host", () => {
    const file = join(tempDir(), "memory.events");
    writeFileSync(file, events(1, 1));
    const watch = watchOomCounter([file]);
    writeFileSync(file, events(1, 2));
    expect([watch.struck(), watch.overLimit?.()]).toEqual([true, false]);
    writeFileSync(file, events(2, 2));
    expect([watch.struck(), watch.overLimit?.()]).toEqual([true, true]);
  });

  it("is named as such", () => {
    const exit = {
      ...{ pid: 1, code: null, known: true, requested: false, uptimeMs: 1 },
      ...({ signal: "SIGKILL", oomKilled: true } as const),
    };
    expect(describeExit({ ...exit, overLimit: limit })).toBe(
      "killed by SIGKILL (out of memory: over agent.memory_limit of 256 MiB)",
    );
    expect(describeExit(exit)).toBe("killed by SIGKILL (out of memory)");
  });
});
