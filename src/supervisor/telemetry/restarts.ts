import { Counts } from "../../foundation/metrics/metric.ts";
import type { Collector } from "../collector/collector.ts";
import type { CollectorEvent } from "../collector/collector-state.ts";
import type { CollectorProcess } from "../collector/process.ts";

/**
 * Why a Collector process took another's place: it ended by itself, was killed by the kernel for lack of
 * memory or by another signal, was killed by us because it hung; the server's command; a change.
 */
export const restartReasons = ["exit", "oom", "signal", "hung", "command", "change"] as const;
export type RestartReason = (typeof restartReasons)[number];

/** Counts restarts of the Collector by reason. Its first start and an adoption are none. */
export class Restarts {
  readonly counts = new Counts("reason", restartReasons);
  #process: CollectorProcess | undefined;
  #exit: RestartReason | undefined;
  #commanded = false;

  observe(collector: Collector): () => void {
    return collector.observe((event) => this.#onEvent(event));
  }

  /** Runs what the server's restart command does. */
  async command(restart: () => Promise<void>): Promise<void> {
    this.#commanded = true;
    try {
      await restart();
    } finally {
      this.#commanded = false;
    }
  }

  #onEvent(event: CollectorEvent): void {
    if (event.t === "exited") this.#exit = reasonOf(event);
    if (event.t !== "state" || (event.state.t !== "starting" && event.state.t !== "running")) return;
    const former = this.#process;
    this.#process = event.state.process;
    if (former === this.#process) return;
    if (former !== undefined) this.counts.add(this.#exit ?? (this.#commanded ? "command" : "change"));
    this.#exit = undefined;
  }
}

function reasonOf({ exit, hung }: CollectorEvent & { t: "exited" }): RestartReason {
  if (hung !== undefined) return "hung";
  if (exit.oomKilled) return "oom";
  return exit.signal === null ? "exit" : "signal";
}
