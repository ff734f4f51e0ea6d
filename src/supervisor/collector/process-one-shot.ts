import { type ChildProcessByStdio, spawn } from "node:child_process";
import type { Readable } from "node:stream";
import { type Clock, systemClock } from "../../foundation/clock.ts";
import { childEnvironment, type Environment } from "./process-environment.ts";
import { startError } from "./process-executable.ts";
import { signalGroup } from "./process-group.ts";
import { commandAs, type RunAs } from "./run-as-command.ts";

export interface OneShotOptions {
  executable: string;
  args: readonly string[];
  /** The whole environment of the child. */
  env: Environment;
  cwd?: string | undefined;
  /** After this the process group is killed. */
  timeoutMs: number;
  /** Bytes kept of each stream: the first and the last half of it. Default 1 MiB. */
  maxOutputBytes?: number;
  runAs?: RunAs | undefined;
  clock?: Clock;
  /** Kills the process group when nobody wants the answer any more. */
  signal?: AbortSignal | undefined;
}

export type OneShotResult =
  | { outcome: "exited"; code: number | null; signal: NodeJS.Signals | null; stdout: string; stderr: string }
  | { outcome: "timed-out"; stdout: string; stderr: string }
  | { outcome: "not-started"; error: Error };

/** How long after the exit a pipe that somebody else still holds is waited for. */
const drainMs = 1_000;

/** Runs a command that ends by itself, in a process group of its own, bounded in time and output. Never rejects. */
export async function runOneShot(options: OneShotOptions): Promise<OneShotResult> {
  const {
    executable,
    args,
    env,
    cwd,
    timeoutMs,
    maxOutputBytes = 1_048_576,
    runAs,
    clock = systemClock,
    signal: abort,
  } = options;
  const command = commandAs(executable, args, runAs);
  let child: ChildProcessByStdio<null, Readable, Readable>;
  try {
    child = spawn(command.file, command.args, {
      cwd,
      env: childEnvironment(env),
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
  } catch (error) {
    return { outcome: "not-started", error: startError(command.file, cwd, error) };
  }
  const stdout = capture(child.stdout, maxOutputBytes);
  const stderr = capture(child.stderr, maxOutputBytes);
  return await new Promise((resolve) => {
    let timedOut = false;
    const timer = clock.setTimer(timeoutMs, () => {
      timedOut = true;
      killGroup(child.pid);
    });
    const onAbort = () => killGroup(child.pid);
    if (abort?.aborted) onAbort();
    abort?.addEventListener("abort", onAbort, { once: true });
    child.once("error", (error) => {
      timer.cancel();
      resolve({ outcome: "not-started", error: startError(command.file, cwd, error) });
    });
    child.once("exit", (code, signal) => {
      timer.cancel();
      abort?.removeEventListener("abort", onAbort);
      // What the command left behind would hold the pipes open, and run on unseen.
      killGroup(child.pid);
      const finish = () => {
        drain.cancel();
        child.stdout.destroy();
        child.stderr.destroy();
        const output = { stdout: stdout(), stderr: stderr() };
        resolve(
          timedOut ? { outcome: "timed-out", ...output } : { outcome: "exited", code, signal, ...output },
        );
      };
      const drain = clock.setTimer(drainMs, finish);
      child.once("close", finish);
    });
  });
}

/** Collects the first and the last half of `maxBytes`; the returned function gives the text so far. */
function capture(stream: Readable, maxBytes: number): () => string {
  const half = Math.floor(maxBytes / 2);
  let head = Buffer.alloc(0);
  let tail = Buffer.alloc(0);
  let dropped = false;
  stream.on("data", (chunk: Buffer) => {
    const room = Math.max(0, half - head.length);
    head = Buffer.concat([head, chunk.subarray(0, room)]);
    const rest = Buffer.concat([tail, chunk.subarray(room)]);
    dropped ||= rest.length > half;
    tail = rest.subarray(Math.max(0, rest.length - half));
  });
  // A stream that breaks ends early; what came is what there is.
  stream.on("error", () => undefined);
  return () =>
    dropped ? `${head.toString()}\n…\n${tail.toString()}` : Buffer.concat([head, tail]).toString();
}

function killGroup(group: number | undefined): void {
  if (group === undefined) return;
  try {
    signalGroup(group, "SIGKILL");
  } catch {
    // Another user's process, and no CAP_KILL: it is left to its own end.
  }
}
