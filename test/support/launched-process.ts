import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";

const defaultTimeoutMs = 20_000;
const shownLines = 30;
const pipesMs = 500;

/** A line of stdout or stderr: the JSON object that was logged, or `{ text }` if it was none. */
export type LogLine = Readonly<Record<string, unknown>>;

/** The `event` of a line, or a condition on it. */
export type LineMatch = string | ((line: LogLine) => boolean);

export interface WaitOptions {
  /** Index in {@link LaunchedProcess.lines} to begin at; 0 takes what has been logged already. */
  from?: number;
  timeoutMs?: number;
}

export interface ExitStatus {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export interface LaunchOptions {
  /** The whole environment; nothing is inherited. */
  env: Record<string, string>;
  cwd?: string;
}

/** A program under test: what it logs, and how it ends. */
export class LaunchedProcess {
  readonly pid: number;
  readonly lines: LogLine[] = [];
  /** Resolves when it has ended and all of its output is in {@link lines}. */
  readonly exited: Promise<ExitStatus>;
  readonly #child: ChildProcessByStdio<null, Readable, Readable>;
  readonly #command: string;
  readonly #waiting = new Set<{ check: () => void; fail: (reason: string) => void }>();
  #status: ExitStatus | undefined;

  /** Resolves once the program runs; rejects if it cannot be started. */
  static async start(
    command: string,
    args: readonly string[],
    options: LaunchOptions,
  ): Promise<LaunchedProcess> {
    const child = spawn(command, args, { ...options, stdio: ["ignore", "pipe", "pipe"] });
    await once(child, "spawn");
    return new LaunchedProcess(child, [command, ...args].join(" "));
  }

  private constructor(child: ChildProcessByStdio<null, Readable, Readable>, command: string) {
    this.#child = child;
    this.#command = command;
    this.pid = child.pid!;
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on("line", (text) => this.#add(text));
    }
    const closed = once(child, "close");
    this.exited = once(child, "exit").then(([code, signal]) => this.#end({ code, signal }, closed));
  }

  get running(): boolean {
    return this.#status === undefined;
  }

  /** Resolves to the first line that matches; rejects after the timeout, or when the program ends before. */
  waitFor(match: LineMatch, { from = 0, timeoutMs = defaultTimeoutMs }: WaitOptions = {}): Promise<LogLine> {
    const matches = typeof match === "string" ? (line: LogLine) => line.event === match : match;
    return new Promise((resolve, reject) => {
      let next = from;
      const waiter = {
        check: () => {
          const index = this.lines.findIndex((line, at) => at >= next && matches(line));
          next = this.lines.length;
          if (index !== -1) settle(() => resolve(this.lines[index]!));
        },
        fail: (reason: string) => settle(() => reject(new Error(this.#describe(match, reason)))),
      };
      const timer = setTimeout(() => waiter.fail(`not within ${timeoutMs} ms`), timeoutMs);
      const settle = (then: () => void) => {
        clearTimeout(timer);
        this.#waiting.delete(waiter);
        then();
      };
      this.#waiting.add(waiter);
      waiter.check();
      if (!this.running) waiter.fail("the program has ended");
    });
  }

  /** Sends a signal and resolves when the program has ended. */
  kill(signal: NodeJS.Signals): Promise<ExitStatus> {
    this.signal(signal);
    return this.exited;
  }

  /** Sends a signal that the program is to survive. */
  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** The last lines, for a message. */
  tail(): string {
    const lines = this.lines.slice(-shownLines).map((line) => `  ${JSON.stringify(line)}`);
    return [`output of ${this.#command}:`, ...lines].join("\n");
  }

  #add(text: string): void {
    this.lines.push(parse(text));
    for (const { check } of this.#waiting) check();
  }

  async #end(status: ExitStatus, closed: Promise<unknown>): Promise<ExitStatus> {
    // The pipes close with the program, unless a Collector that lives on has inherited them.
    await Promise.race([closed, sleep(pipesMs, undefined, { ref: false })]);
    this.#status = status;
    for (const { fail } of this.#waiting) fail(`ended with ${status.signal ?? status.code}`);
    return status;
  }

  #describe(match: LineMatch, reason: string): string {
    const wanted = typeof match === "string" ? `event "${match}"` : String(match);
    return `no ${wanted}: ${reason}\n${this.tail()}`;
  }
}

function parse(text: string): LogLine {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null) return value as LogLine;
  } catch {
    // Not a log line.
  }
  return { text };
}
