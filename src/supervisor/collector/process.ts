import { type ChildProcess, spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { type Clock, systemClock, type Timer, wait } from "../../foundation/clock.ts";
import { errorCode } from "../../foundation/errors.ts";
import type { MemoryLimit } from "./memory-limit.ts";
import { type OomWatch, watchOomKills } from "./oom.ts";
import { childEnvironment, type Environment } from "./process-environment.ts";
import { executableProblem, startError } from "./process-executable.ts";
import type { CollectorExit } from "./process-exit.ts";
import { isGroupRunning, isWrapperProcess, signalGroup } from "./process-group.ts";
import { isRunning, type ProcessIdentity, readProcess } from "./process-identity.ts";
import { commandAs, type RunAs } from "./run-as-command.ts";

export { type CollectorExit, describeExit } from "./process-exit.ts";
export type { ProcessIdentity } from "./process-identity.ts";

/** A running Collector, ours or adopted. */
export interface CollectorProcess {
  readonly pid: number;
  readonly identity: ProcessIdentity;
  /** Started by an earlier supervisor: its exit code cannot be learned. */
  readonly adopted: boolean;
  /** Resolves when it ends; never rejects. */
  readonly exited: Promise<CollectorExit>;
  /** It is a script or launcher around the Collector: SIGHUP would kill it. */
  isWrapper(): boolean;
  /** Signals this process alone. False if it is gone or may not be signalled. */
  signal(signal: NodeJS.Signals): boolean;
  /**
   * Asks the process group to end, kills it after `graceMs`, and resolves once the whole group is gone.
   * Later calls get the first one's promise. Rejects only if the process may not be signalled.
   */
  stop(options: { graceMs: number; signal?: NodeJS.Signals }): Promise<CollectorExit>;
  /** Kills the whole group at once, as nobody asked it to end: a hang that is made a crash. */
  kill(): void;
  /** Looks at once, and resolves {@link exited} if an adopted process is gone. */
  checkAlive(): boolean;
  /** Stops watching, so that this process may exit and leave the Collector running (hand-over). */
  release(): void;
}

export interface SpawnOptions {
  executable: string;
  args: readonly string[];
  /** The whole environment of the Collector. */
  env: Environment;
  cwd?: string | undefined;
  /** Descriptor, opened for appending, of the file that takes stdout and stderr; the caller closes it. */
  logFd: number | "ignore";
  runAs?: RunAs | undefined;
  /** It is told to end when this process dies, instead of living on. */
  endsWithUs?: boolean;
  clock?: Clock;
  memory?: MemoryLimit | undefined;
  /** How a death for lack of memory is told; default the counters of its cgroup. */
  watchOom?: (pid: number) => OomWatch;
}

/** How often an adopted process is looked at; one that was told to stop is awaited closely. */
const pollMs = 500;
const closePollMs = 20;
/** After SIGKILL, how long the rest of a group may take to be gone. */
const killedMs = 1_000;

/**
 * Starts a Collector in a session of its own, with its output in a file, so that it outlives this process.
 * @throws an Error that names what to do when the executable cannot be executed.
 */
export async function spawnCollector(options: SpawnOptions): Promise<CollectorProcess> {
  const { executable, args, env, cwd, logFd, runAs, clock = systemClock, watchOom = watchOomKills } = options;
  const problem = executableProblem(executable);
  if (problem !== undefined) throw new Error(`cannot start the Collector: ${problem}`);
  const command = commandAs(executable, args, runAs, { endsWithUs: options.endsWithUs ?? false });
  let child: ChildProcess;
  try {
    // setpriv is found even where the Collector is not.
    if (command.file !== executable) accessSync(executable, constants.X_OK);
    child = spawn(command.file, command.args, {
      cwd,
      env: childEnvironment(env),
      stdio: ["ignore", logFd, logFd],
      detached: true,
    });
  } catch (error) {
    throw startError(executable, cwd, error);
  }
  const { pid } = child;
  if (pid === undefined) {
    const error = await new Promise((resolve) => child.once("error", resolve));
    throw startError(command.file, cwd, error);
  }
  // Read before the event loop can collect a child that is already dead. Under hidepid there is nothing
  // to read: such a process cannot be adopted later, but runs.
  const startTime = readProcess(pid)?.startTime ?? "unknown";
  const identity = { pid, startTime };
  options.memory?.admit(pid);
  const tracked = new TrackedProcess({
    identity,
    group: pid,
    adopted: false,
    ageMs: 0,
    clock,
    oom: watchOom(pid),
    memory: options.memory,
  });
  child.once("exit", (code, signal) => tracked.ended({ code, signal, known: true }));
  // A failed kill is the only other error of a running child, and signals are not sent through it.
  child.on("error", () => undefined);
  tracked.onRelease = () => child.unref();
  return tracked;
}

/** Takes over a Collector that an earlier supervisor started, or undefined if it is gone or its pid recycled. */
export function adoptCollector(
  identity: ProcessIdentity,
  clock: Clock = systemClock,
  memory?: MemoryLimit,
): CollectorProcess | undefined {
  const { pid, startTime } = identity;
  if (!Number.isInteger(pid) || pid <= 1 || pid === process.pid) return undefined;
  const entry = readProcess(pid);
  if (entry === undefined || entry.zombie || entry.startTime !== startTime) return undefined;
  const group = entry.group === pid ? pid : undefined;
  memory?.admit(pid);
  const oom = watchOomKills(pid);
  return new TrackedProcess({ identity, group, adopted: true, ageMs: entry.ageMs, clock, oom, memory });
}

interface TrackedOptions {
  identity: ProcessIdentity;
  /** Undefined where it does not lead a group of its own. */
  group: number | undefined;
  adopted: boolean;
  ageMs: number;
  clock: Clock;
  oom: OomWatch;
  memory: MemoryLimit | undefined;
}

class TrackedProcess implements CollectorProcess {
  readonly pid: number;
  readonly identity: ProcessIdentity;
  readonly adopted: boolean;
  readonly exited: Promise<CollectorExit>;
  onRelease: () => void = () => undefined;
  readonly #group: number | undefined;
  readonly #clock: Clock;
  readonly #startedAt: number;
  readonly #oom: OomWatch;
  readonly #memory: MemoryLimit | undefined;
  readonly #resolveExited: (exit: CollectorExit) => void;
  #exit: CollectorExit | undefined;
  #requested = false;
  #stopping: Promise<CollectorExit> | undefined;
  #poll: Timer | undefined;

  constructor({ identity, group, adopted, ageMs, clock, oom, memory }: TrackedOptions) {
    this.pid = identity.pid;
    this.identity = identity;
    this.adopted = adopted;
    this.#group = group;
    this.#clock = clock;
    this.#startedAt = clock.monotonic() - ageMs;
    this.#oom = oom;
    this.#memory = memory;
    const { promise, resolve } = Promise.withResolvers<CollectorExit>();
    this.exited = promise;
    this.#resolveExited = resolve;
    if (adopted) this.#pollSoon();
  }

  isWrapper(): boolean {
    return isWrapperProcess(this.pid);
  }

  signal(signal: NodeJS.Signals): boolean {
    if (!this.checkAlive()) return false;
    try {
      return process.kill(this.pid, signal);
    } catch {
      return false;
    }
  }

  stop({
    graceMs,
    signal = "SIGTERM",
  }: {
    graceMs: number;
    signal?: NodeJS.Signals;
  }): Promise<CollectorExit> {
    this.#stopping ??= this.#stop(graceMs, signal).catch((error: unknown) => {
      this.#requested = false;
      this.#stopping = undefined;
      throw error;
    });
    return this.#stopping;
  }

  kill(): void {
    this.#send("SIGKILL");
  }

  checkAlive(): boolean {
    if (this.#exit !== undefined) return false;
    // Our own child's exit event brings the code; under hidepid the process table would deny it.
    if (!this.adopted) return readProcess(this.pid)?.zombie !== true;
    if (isRunning(this.identity)) return true;
    this.ended({ code: null, signal: null, known: false });
    return false;
  }

  release(): void {
    this.#poll?.cancel();
    this.onRelease();
  }

  /** The process is gone. */
  ended({
    code,
    signal,
    known,
  }: {
    code: number | null;
    signal: NodeJS.Signals | null;
    known: boolean;
  }): void {
    if (this.#exit !== undefined) return;
    this.#poll?.cancel();
    const requested = this.#requested;
    const oomKilled = !requested && (signal === "SIGKILL" || !known) && this.#oom.struck();
    const held = this.#memory !== undefined && this.#memory.notHeld === undefined;
    // What a wrapper leaves behind holds the ports that the next start needs.
    if (!requested) this.#killRest();
    this.#exit = {
      pid: this.pid,
      code,
      signal,
      known,
      requested,
      uptimeMs: this.#clock.monotonic() - this.#startedAt,
      oomKilled,
      ...(oomKilled && held && this.#oom.overLimit?.() && { overLimit: this.#memory?.bytes ?? 0 }),
    };
    this.#resolveExited(this.#exit);
  }

  async #stop(graceMs: number, signal: NodeJS.Signals): Promise<CollectorExit> {
    if (!this.checkAlive()) return await this.exited;
    this.#requested = true;
    this.#send(signal);
    if (this.adopted) this.#pollSoon();
    const graceEnd = this.#clock.monotonic() + graceMs;
    const kill = this.#clock.setTimer(graceMs, () => this.#killRest());
    // Timers of the clock do not keep this process alive, and an adopted process is no handle of ours.
    const keepAlive = setInterval(() => undefined, 2 ** 30);
    try {
      const exit = await this.exited;
      while (this.#clock.monotonic() < graceEnd + killedMs && this.#isGroupRunning()) {
        await wait(this.#clock, closePollMs);
      }
      return exit;
    } finally {
      kill.cancel();
      clearInterval(keepAlive);
    }
  }

  #send(signal: NodeJS.Signals): void {
    try {
      if (this.#group === undefined) process.kill(this.pid, signal);
      else signalGroup(this.#group, signal);
    } catch (error) {
      if (errorCode(error) === "ESRCH") return;
      throw new Error(
        `cannot stop the Collector (pid ${this.pid}): it runs as another user; start the supervisor as root or with CAP_KILL`,
        { cause: error },
      );
    }
  }

  #killRest(): void {
    // A recycled pid that leads a new group is not ours to kill.
    const present = readProcess(this.pid);
    if (present !== undefined && present.startTime !== this.identity.startTime) return;
    try {
      if (this.#group !== undefined) signalGroup(this.#group, "SIGKILL");
      else if (present !== undefined) process.kill(this.pid, "SIGKILL");
    } catch {
      // It ended in this moment, or may not be signalled: then stop() has already said so.
    }
  }

  #isGroupRunning(): boolean {
    return this.#group !== undefined && isGroupRunning(this.#group);
  }

  #pollSoon(): void {
    this.#poll?.cancel();
    this.#poll = this.#clock.setTimer(this.#requested ? closePollMs : pollMs, () => {
      if (this.checkAlive()) this.#pollSoon();
    });
  }
}
