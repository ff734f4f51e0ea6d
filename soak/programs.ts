import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { LaunchedProcess, type LogLine } from "../test/support/launched-process.ts";

const bin = fileURLToPath(new URL("../bin/", import.meta.url));
const passedOn = ["PATH", "HOME", "LANG", "TMPDIR"];
const stopMs = 20_000;

/** A program that is started again and again, as a service manager does it. */
export class Program {
  readonly #command: string;
  readonly #args: readonly string[];
  readonly #env: Record<string, string>;
  #process: LaunchedProcess | undefined;
  /** What those logged that have ended. */
  #former: LogLine[] = [];

  constructor(name: "opamp-supervisor" | "opamp-server", settings: string, env: Record<string, string> = {}) {
    this.#command = join(bin, name);
    this.#args = ["--config", settings];
    const inherited = passedOn.flatMap((key) => {
      const value = process.env[key];
      return value === undefined ? [] : [[key, value] as const];
    });
    this.#env = { ...Object.fromEntries(inherited), ...env };
  }

  get pid(): number | undefined {
    return this.#process?.running === true ? this.#process.pid : undefined;
  }

  get logLines(): number {
    return this.#former.length + (this.#process?.lines.length ?? 0);
  }

  /** Everything it has logged, a JSON object a line. */
  log(): string {
    const lines = [...this.#former, ...(this.#process?.lines ?? [])];
    return lines.map((line) => `${JSON.stringify(line)}\n`).join("");
  }

  tail(): string {
    return this.#process?.tail() ?? "it was never started";
  }

  async start(): Promise<void> {
    this.#former.push(...(this.#process?.lines ?? []));
    this.#process = await LaunchedProcess.start(this.#command, this.#args, { env: this.#env });
  }

  async kill(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    if (this.#process?.running !== true) return;
    const timer = setTimeout(() => this.#process?.signal("SIGKILL"), stopMs);
    await this.#process.kill(signal);
    clearTimeout(timer);
  }
}
