import type { CollectorExit, CollectorProcess } from "../../src/supervisor/collector/process.ts";

/** A Collector process that does only what the test says, for the state machine that holds it. */
export class ScriptedProcess implements CollectorProcess {
  readonly pid: number;
  readonly identity: { pid: number; startTime: string };
  readonly adopted: boolean;
  readonly exited: Promise<CollectorExit>;
  readonly signals: NodeJS.Signals[] = [];
  readonly graces: number[] = [];
  wrapper = false;
  alive = true;
  released = false;
  looks = 0;
  /** Whether stop() ends it at once, as a Collector does; otherwise the test calls {@link exit}. */
  obeys = true;
  readonly #resolve: (exit: CollectorExit) => void;

  constructor(pid: number, { adopted = false }: { adopted?: boolean } = {}) {
    this.pid = pid;
    this.identity = { pid, startTime: `start of ${pid}` };
    this.adopted = adopted;
    const { promise, resolve } = Promise.withResolvers<CollectorExit>();
    this.exited = promise;
    this.#resolve = resolve;
  }

  exit(how: Partial<CollectorExit> = {}): void {
    if (!this.alive) return;
    this.alive = false;
    const { pid } = this;
    const base = {
      code: 1,
      signal: null,
      known: !this.adopted,
      requested: false,
      uptimeMs: 1,
      oomKilled: false,
    };
    this.#resolve({ pid, ...base, ...how });
  }

  isWrapper(): boolean {
    return this.wrapper;
  }

  signal(signal: NodeJS.Signals): boolean {
    if (this.alive) this.signals.push(signal);
    return this.alive;
  }

  stop({ graceMs }: { graceMs: number }): Promise<CollectorExit> {
    this.signals.push("SIGTERM");
    this.graces.push(graceMs);
    if (this.obeys) this.exit({ code: 0, requested: true });
    return this.exited;
  }

  kill(): void {
    this.signals.push("SIGKILL");
    this.exit({ code: null, signal: "SIGKILL" });
  }

  checkAlive(): boolean {
    this.looks += 1;
    return this.alive;
  }

  release(): void {
    this.released = true;
  }
}
