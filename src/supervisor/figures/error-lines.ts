import type { AgentLog } from "../collector/agent-log.ts";
import { parseCollectorLine } from "../collector/agent-log-line.ts";

/** Nobody waits for this number: reading is for the next message. Milliseconds. */
const pollMs = 5_000;

/** How many lines of level error or above the Collector has logged since {@link ErrorLines.start}. */
export class ErrorLines {
  #count = 0;
  #follows = false;

  get count(): number {
    return this.#count;
  }

  /** The log ends it with itself. */
  async start(log: Pick<AgentLog, "follow">): Promise<void> {
    if (this.#follows) return;
    this.#follows = true;
    await log.follow((line) => this.#onLine(line), pollMs);
  }

  #onLine(line: string): void {
    // Most lines are none, and need not be taken apart.
    if (/error|panic|fatal/i.test(line) && parseCollectorLine(line).level === "error") this.#count += 1;
  }
}
