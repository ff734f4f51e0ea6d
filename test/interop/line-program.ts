import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

/** Milliseconds on the clock that {@link ProgramEvent} is in. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** One line of the program's standard output. `at` is milliseconds on the clock of `process.hrtime`. */
export interface ProgramEvent {
  event: string;
  at: number;
}

interface Waiter<Event> {
  from: number;
  match: (event: Event) => boolean;
  resolve: (event: Event) => void;
}

/** A program that takes orders as JSON lines, tells what happens as JSON lines, and ends when its input does. */
export class LineProgram<Event extends ProgramEvent> implements AsyncDisposable {
  readonly events: Event[] = [];
  readonly #child: ChildProcess;
  readonly #name: string;
  readonly #waiters = new Set<Waiter<Event>>();
  #stderr = "";

  constructor(name: string, executable: string, args: readonly string[]) {
    this.#name = name;
    this.#child = spawn(executable, args, { stdio: ["pipe", "pipe", "pipe"] });
    this.#child.stdin?.on("error", () => undefined);
    this.#child.stderr?.on("data", (text: Buffer) => {
      this.#stderr = `${this.#stderr}${text.toString()}`.slice(-4000);
    });
    createInterface({ input: this.#child.stdout as NodeJS.ReadableStream }).on("line", (line) =>
      this.#receive(JSON.parse(line) as Event),
    );
  }

  /** Sends one order. */
  order(order: { cmd: string } & Record<string, unknown>): void {
    this.#child.stdin?.write(`${JSON.stringify(order)}\n`);
  }

  /** A position in {@link events}: what comes later is news. */
  mark(): number {
    return this.events.length;
  }

  /**
   * The first event at or after position `from` that matches.
   * @throws after `timeoutMs`, with the last events, or when the program ends.
   */
  async waitFor<Wanted extends Event>(
    what: string,
    match: (event: Event) => event is Wanted,
    options?: { from?: number; timeoutMs?: number },
  ): Promise<Wanted>;
  async waitFor(
    what: string,
    match: (event: Event) => boolean,
    options?: { from?: number; timeoutMs?: number },
  ): Promise<Event>;
  async waitFor(
    what: string,
    match: (event: Event) => boolean,
    { from = 0, timeoutMs = 30_000 }: { from?: number; timeoutMs?: number } = {},
  ): Promise<Event> {
    const seen = this.events.slice(from).find(match);
    if (seen !== undefined) return seen;
    const { promise, resolve, reject } = Promise.withResolvers<Event>();
    const waiter: Waiter<Event> = { from, match, resolve };
    const fail = (why: string) => reject(new Error(`${this.#name}: no ${what}: ${why}\n${this.#story()}`));
    const onExit = () => fail("the program ended");
    const timer = setTimeout(() => fail(`waited ${timeoutMs} ms`), timeoutMs);
    this.#waiters.add(waiter);
    this.#child.once("exit", onExit);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#child.off("exit", onExit);
      this.#waiters.delete(waiter);
    }
  }

  /** Closes the program's input and waits for its end; kills it after five seconds. */
  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, "exit");
    this.#child.stdin?.end();
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), 5000);
    await exited;
    clearTimeout(timer);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #receive(event: Event): void {
    this.events.push(event);
    const index = this.events.length - 1;
    for (const waiter of this.#waiters) {
      if (index >= waiter.from && waiter.match(event)) waiter.resolve(event);
    }
  }

  #story(): string {
    const last = this.events.slice(-12).map((event) => JSON.stringify(event).slice(0, 600));
    return [...last, this.#stderr].join("\n");
  }
}
