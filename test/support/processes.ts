import { randomUUID } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { onTestFinished } from "vitest";
import { errorCode } from "../../src/foundation/errors.ts";
import { eventually } from "./eventually.ts";
import { LaunchedProcess } from "./launched-process.ts";

/** In the environment of everything a test starts, however detached: environments are inherited. */
const markName = "OPAMP_TEST_GROUP";
/** How long a program may take to stop on SIGTERM. */
const stopMs = 15_000;
/** How long a process may outlive the one that stopped it. */
const graceMs = 1_000;
const passedOn = ["PATH", "HOME", "LANG", "TMPDIR", "OPAMP_TEST_RUN"];

export interface RunningProcess {
  readonly pid: number;
  /** Its arguments, joined by spaces. */
  readonly command: string;
}

export interface GroupOptions {
  /**
   * What to do with a process that is still there when everything launched has been stopped: `fail`
   * (default) kills it and fails the test, `kill` is for a test that wants it, such as one of adoption.
   */
  leftBehind?: "fail" | "kill";
}

/** Everything one test starts, and what those programs start in turn. */
export interface ProcessGroup {
  launch(
    command: string,
    args: readonly string[],
    options?: { env?: Record<string, string>; cwd?: string },
  ): Promise<LaunchedProcess>;
  /** Every live process of the group, also one detached from whatever started it. */
  alive(): Promise<RunningProcess[]>;
  /** Stops everything; rejects if something did not stop or was left behind. Runs at the test's end. */
  stop(): Promise<void>;
}

/** A group that is stopped by SIGTERM when the running test ends. */
export function processGroup({ leftBehind = "fail" }: GroupOptions = {}): ProcessGroup {
  const mark = randomUUID();
  const launched: LaunchedProcess[] = [];
  const alive = () => processesWith(`${markName}=${mark}`);
  const stop = async () => {
    const problems = await stopAll(launched);
    for (const { pid, command } of await killRest(alive, leftBehind === "fail" ? graceMs : 0)) {
      if (leftBehind === "fail") problems.push(`left process ${pid} behind: ${command}`);
    }
    if (problems.length > 0) {
      throw new Error([...problems, ...launched.map((program) => program.tail())].join("\n"));
    }
  };
  onTestFinished(stop);
  return {
    alive,
    stop,
    async launch(command, args, { env = {}, ...options } = {}) {
      const inherited = Object.fromEntries(passedOn.map((name) => [name, process.env[name] ?? ""]));
      const program = await LaunchedProcess.start(command, args, {
        ...options,
        env: { ...inherited, ...env, [markName]: mark },
      });
      launched.push(program);
      return program;
    },
  };
}

async function stopAll(launched: readonly LaunchedProcess[]): Promise<string[]> {
  const problems: string[] = [];
  // The last one first: a supervisor before the server it talks to.
  for (const program of launched.toReversed()) {
    if (!program.running) continue;
    program.signal("SIGTERM");
    const stopped = await Promise.race([program.exited, sleep(stopMs, undefined, { ref: false })]);
    if (stopped !== undefined) continue;
    problems.push(`process ${program.pid} did not stop within ${stopMs} ms of SIGTERM`);
    await program.kill("SIGKILL");
  }
  return problems;
}

/** Kills what has not ended by itself in time, and resolves to what that was when it is gone. */
async function killRest(alive: () => Promise<RunningProcess[]>, waitMs: number): Promise<RunningProcess[]> {
  const deadline = performance.now() + waitMs;
  let rest = await alive();
  while (rest.length > 0 && performance.now() < deadline) {
    await sleep(20);
    rest = await alive();
  }
  for (const { pid } of rest) killIfAlive(pid);
  await eventually("the killed processes are gone", async () => (await alive()).length === 0);
  return rest;
}

function killIfAlive(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if (errorCode(error) !== "ESRCH") throw error;
  }
}

/** Needs /proc; elsewhere only what was launched directly is known and stopped. */
async function processesWith(entry: string): Promise<RunningProcess[]> {
  if (process.platform !== "linux") return [];
  const found: RunningProcess[] = [];
  for (const name of await readdir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const environment = await read(`/proc/${name}/environ`);
    if (!environment.split("\0").includes(entry)) continue;
    const command = (await read(`/proc/${name}/cmdline`)).replaceAll("\0", " ").trim();
    found.push({ pid: Number(name), command });
  }
  return found;
}

/** Empty for a process that has ended, or that is another user's. */
async function read(path: string): Promise<string> {
  return readFile(path, "utf8").catch(() => "");
}
