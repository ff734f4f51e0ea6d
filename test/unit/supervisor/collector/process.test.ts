// Shell scripts stand in for a Collector where a real one cannot be made to do it: hang, ignore SIGTERM,
// end with a given code, leave children behind. What a real Collector does is in test/e2e.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, open, readFile, readlink, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  adoptCollector,
  type CollectorProcess,
  describeExit,
  type SpawnOptions,
  spawnCollector,
} from "../../../../src/supervisor/collector/process.ts";
import { isGroupRunning } from "../../../../src/supervisor/collector/process-group.ts";
import { isRunning, readProcess } from "../../../../src/supervisor/collector/process-identity.ts";
import { ManualClock } from "../../../support/manual-clock.ts";

let directory: string;
const groups: number[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "process-"));
});

afterEach(async () => {
  for (const group of groups.splice(0)) {
    try {
      process.kill(-group, "SIGKILL");
    } catch {
      // Gone, as it should be.
    }
  }
  await rm(directory, { recursive: true });
});

async function script(body: string): Promise<string> {
  const path = join(directory, "collector");
  await writeFile(path, `#!/bin/sh\n${body}\n`);
  await chmod(path, 0o755);
  return path;
}

/** Starts a script and waits until it has written `ready`. */
async function start(body: string, options: Partial<SpawnOptions> = {}): Promise<CollectorProcess> {
  const fifo = join(directory, "ready");
  const maker = spawn("mkfifo", [fifo]);
  await once(maker, "exit");
  const executable = await script(`${body.replace("READY", `echo ready > ${fifo}`)}`);
  const started = await spawnCollector({
    executable,
    args: [],
    env: process.env,
    logFd: "ignore",
    ...options,
  });
  groups.push(started.pid);
  await readFile(fifo);
  await rm(fifo);
  return started;
}

const tick = () => new Promise((done) => setImmediate(done));

describe("spawnCollector", () => {
  it.each([
    ["exit 0", "exit code 0"],
    ["exit 3", "exit code 3"],
    ["kill -SEGV $$", "killed by SIGSEGV"],
    ["kill -KILL $$", "killed by SIGKILL"],
  ])("reports the end of `%s` as %s", async (body, description) => {
    const executable = await script(body);
    const started = await spawnCollector({ executable, args: [], env: process.env, logFd: "ignore" });
    const exit = await started.exited;
    expect(describeExit(exit)).toBe(description);
    expect(exit).toMatchObject({ pid: started.pid, known: true, requested: false, oomKilled: false });
    expect(started.checkAlive()).toBe(false);
    expect(started.signal("SIGHUP")).toBe(false);
    expect(await started.stop({ graceMs: 0 })).toBe(exit);
  });

  it("tells a kill for lack of memory from any other", async () => {
    const watchOom = () => ({ struck: () => true });
    const killed = await start("READY; exec sleep 100", { watchOom });
    process.kill(killed.pid, "SIGKILL");
    expect(describeExit(await killed.exited)).toBe("killed by SIGKILL (out of memory)");
    const crashed = await start("READY; exec sleep 100", { watchOom });
    process.kill(crashed.pid, "SIGSEGV");
    expect(describeExit(await crashed.exited)).toBe("killed by SIGSEGV");
    const stopped = await start("READY; exec sleep 100", { watchOom });
    const exit = await stopped.stop({ graceMs: 1_000, signal: "SIGKILL" });
    expect(describeExit(exit)).toBe("killed by SIGKILL");
    expect(describeExit({ ...exit, known: false, oomKilled: true })).toMatch(/unknown .*out of memory/);
  });

  it("writes stdout and stderr to the descriptor, in the given environment without NOTIFY_SOCKET", async () => {
    const path = join(directory, "agent.log");
    const file = await open(path, "a");
    const env = { PATH: process.env.PATH, NOTIFY_SOCKET: "/run/x", MINE: "yes", NOT: undefined };
    const executable = await script('echo "$1 $MINE [$NOTIFY_SOCKET]"; pwd; echo error >&2');
    const started = await spawnCollector({ executable, args: ["arg"], env, cwd: directory, logFd: file.fd });
    await file.close();
    await started.exited;
    expect(await readFile(path, "utf8")).toBe(`arg yes []\n${directory}\nerror\n`);
  });

  it("leads a session of its own", async () => {
    const started = await start("READY; sleep 100");
    expect(readProcess(started.pid)?.group).toBe(started.pid);
    await started.stop({ graceMs: 1_000 });
  });

  it("says what to do when there is nothing to execute", async () => {
    const run = (executable: string) => spawnCollector({ executable, args: [], env: {}, logFd: "ignore" });
    await expect(run(join(directory, "missing"))).rejects.toThrow(
      /missing: no such file; install the Collector/,
    );
    const path = join(directory, "file");
    await writeFile(path, "#!/bin/sh\n");
    await expect(run(path)).rejects.toThrow(/chmod \+x/);
    await expect(run(directory)).rejects.toThrow(/not allowed to execute/);
  });

  it("does not feed what is no program of this host to a shell", async () => {
    const path = join(directory, "file");
    const run = () => spawnCollector({ executable: path, args: [], env: {}, logFd: "ignore" });
    await writeFile(path, "touch run-by-a-shell\n", { mode: 0o755 });
    await expect(run()).rejects.toThrow(/neither an ELF file nor a script/);
    const foreign = Buffer.alloc(64);
    foreign.write("\x7fELF\x02\x01", "latin1");
    foreign.writeUInt16LE(22, 18);
    await writeFile(path, foreign, { mode: 0o755 });
    await expect(run()).rejects.toThrow(/built for s390x, this host is/);
  });

  it("names a working directory that does not exist", async () => {
    const executable = await script("true");
    const cwd = join(directory, "nowhere");
    await expect(spawnCollector({ executable, args: [], env: {}, cwd, logFd: "ignore" })).rejects.toThrow(
      "nowhere",
    );
  });
});

describe("stop", () => {
  it("asks first, and tells an end that was requested", async () => {
    const started = await start('trap "exit 7" TERM; READY; while :; do :; done');
    const exit = await started.stop({ graceMs: 10_000 });
    expect(exit).toMatchObject({ code: 7, requested: true });
    expect(isGroupRunning(started.pid)).toBe(false);
  });

  it("kills the group when the grace is over, and calls that no lack of memory", async () => {
    const clock = new ManualClock();
    const started = await start('trap "" TERM; READY; while :; do sleep 100; done', { clock });
    const stopping = started.stop({ graceMs: 10_000 });
    clock.advance(9_999);
    expect(started.checkAlive()).toBe(true);
    clock.advance(1);
    expect(describeExit(await started.exited)).toBe("killed by SIGKILL");
    let stopped = false;
    void stopping.then(() => {
      stopped = true;
    });
    // It also awaits the child that the shell was waiting for.
    while (!stopped) {
      await tick();
      clock.advance(20);
    }
  });

  it("is one stop, however often it is asked for", async () => {
    const started = await start("READY; exec sleep 100");
    const first = started.stop({ graceMs: 10_000 });
    expect(started.stop({ graceMs: 0, signal: "SIGKILL" })).toBe(first);
    expect((await first).signal).toBe("SIGTERM");
  });

  it("sends the signal that is asked for", async () => {
    const started = await start("READY; exec sleep 100");
    expect((await started.stop({ graceMs: 10_000, signal: "SIGINT" })).signal).toBe("SIGINT");
  });

  it("ends with the whole group, also when the wrapper dies before what it wraps", async () => {
    const wrapped = `sh -c 'trap "" TERM; echo $$ > ${join(directory, "child")}; echo ready > ${join(directory, "ready")}; while :; do sleep 100; done'`;
    const started = await start(`trap "exit 0" TERM; ${wrapped} & wait`);
    const child = Number(await readFile(join(directory, "child"), "utf8"));
    await started.stop({ graceMs: 100 });
    expect(readProcess(child)?.zombie ?? true).toBe(true);
  });
});

describe("an end that nobody asked for", () => {
  it("takes along what a wrapper leaves behind", async () => {
    const wrapped = `sh -c 'echo $$ > ${join(directory, "child")}; echo ready > ${join(directory, "ready")}; exec sleep 100'`;
    const started = await start(`${wrapped} & wait`);
    const child = Number(await readFile(join(directory, "child"), "utf8"));
    expect(readProcess(child)?.zombie).toBe(false);
    process.kill(started.pid, "SIGKILL");
    expect(describeExit(await started.exited)).toBe("killed by SIGKILL");
    while (readProcess(child)?.zombie === false) await tick();
  });
});

describe("isWrapper", () => {
  it("is true of a script, also while it has no child", async () => {
    const other = join(directory, "other");
    const shell = await start(`mkfifo ${other}; READY; : < ${other}`);
    expect(shell.isWrapper()).toBe(true);
    await shell.stop({ graceMs: 1_000 });
  });

  it("is true of a program with children in its group", async () => {
    // `timeout` is no interpreter, and runs its command as a child in its own group.
    const up = join(directory, "up");
    await once(spawn("mkfifo", [up]), "exit");
    const args = ["--foreground", "100", "sh", "-c", `echo > ${up}; exec sleep 100`];
    const program = await spawnCollector({
      executable: "/usr/bin/timeout",
      args,
      env: process.env,
      logFd: "ignore",
    });
    groups.push(program.pid);
    await readFile(up);
    expect(program.isWrapper()).toBe(true);
    await program.stop({ graceMs: 1_000 });
  });

  it("is false of a program without children", async () => {
    const program = await spawnCollector({
      executable: "/bin/sleep",
      args: ["100"],
      env: {},
      logFd: "ignore",
    });
    groups.push(program.pid);
    expect(program.isWrapper()).toBe(false);
    await program.stop({ graceMs: 1_000 });
  });
});

describe("adoptCollector", () => {
  it("refuses a recycled pid, a dead one, and what is no pid", async () => {
    const started = await start("READY; exec sleep 100");
    const { pid, startTime } = started.identity;
    expect(adoptCollector({ pid, startTime: `${startTime}0` })).toBeUndefined();
    expect(adoptCollector({ pid: 0, startTime })).toBeUndefined();
    expect(adoptCollector({ pid: 1, startTime })).toBeUndefined();
    expect(adoptCollector({ pid: -1, startTime })).toBeUndefined();
    await started.stop({ graceMs: 1_000 });
    expect(adoptCollector(started.identity)).toBeUndefined();
  });

  it("refuses a zombie", async () => {
    // Once the shell has become `sleep`, nobody collects its child.
    const go = join(directory, "go");
    await once(spawn("mkfifo", [go]), "exit");
    const path = join(directory, "child");
    const started = await start(`sh -c ': < ${go}' & echo $! > ${path}; READY; exec sleep 100`);
    while (!(await readlink(`/proc/${started.pid}/exe`)).endsWith("/sleep")) await tick();
    const pid = Number(await readFile(path, "utf8"));
    await writeFile(go, "");
    while (readProcess(pid)?.zombie !== true) await tick();
    const identity = { pid, startTime: readProcess(pid)?.startTime ?? "" };
    expect(isRunning(identity)).toBe(false);
    expect(adoptCollector(identity)).toBeUndefined();
    await started.stop({ graceMs: 1_000 });
  });

  it("notices the death at the next look, and at once when asked", async () => {
    const clock = new ManualClock();
    const started = await start("READY; exec sleep 100");
    const adopted = adoptCollector(started.identity, clock)!;
    const other = adoptCollector(started.identity, clock)!;
    expect(adopted.adopted).toBe(true);
    expect(clock.pending).toEqual([500, 500]);
    clock.advance(500);
    expect(clock.pending).toEqual([500, 500]);
    process.kill(started.pid, "SIGKILL");
    await started.exited;
    expect(adopted.checkAlive()).toBe(false);
    expect(await adopted.exited).toMatchObject({ code: null, signal: null, known: false, requested: false });
    expect(describeExit(await adopted.exited)).toBe("exit code unknown (adopted process)");
    clock.advance(500);
    expect(await other.exited).toMatchObject({ known: false });
    expect(clock.pending).toEqual([]);
  });

  it("stops what it adopted, and looks closely meanwhile", async () => {
    const clock = new ManualClock();
    const started = await start("READY; exec sleep 100");
    const adopted = adoptCollector(started.identity, clock)!;
    const stopping = adopted.stop({ graceMs: 10_000 });
    expect(clock.pending).toEqual([20, 10_000]);
    expect((await started.exited).signal).toBe("SIGTERM");
    clock.advance(20);
    expect(await stopping).toMatchObject({ known: false, requested: true });
    expect(clock.pending).toEqual([]);
  });

  it("counts the time since the process started, not since its adoption", async () => {
    const clock = new ManualClock();
    const started = await start("READY; exec sleep 100");
    while ((readProcess(started.pid)?.ageMs ?? 0) < 50) await tick();
    const adopted = adoptCollector(started.identity, clock)!;
    clock.advance(300);
    process.kill(started.pid, "SIGKILL");
    await started.exited;
    adopted.checkAlive();
    expect((await adopted.exited).uptimeMs).toBeGreaterThanOrEqual(350);
  });

  it("leaves it running when released", async () => {
    const clock = new ManualClock();
    const started = await start("READY; exec sleep 100");
    const adopted = adoptCollector(started.identity, clock)!;
    adopted.release();
    expect(clock.pending).toEqual([]);
    expect(started.checkAlive()).toBe(true);
    await started.stop({ graceMs: 1_000 });
  });
});
