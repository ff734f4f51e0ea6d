import type { Clock, Timer } from "../../foundation/clock.ts";
import type { Collector } from "./collector.ts";
import type { CollectorEvent } from "./collector-state.ts";

interface LivenessDeps {
  collector: Collector;
  clock: Clock;
  /** `agent.liveness_timeout`, milliseconds. */
  timeoutMs: number;
}

/** The extension's own back-off reaches 60 s and half of it again: only then is a missing link a sign. */
const redialMs = 90_000;

/**
 * Tells a hang from quiet health. A Collector hangs when it does not answer a ping on an open link, has no
 * link although it should long have dialled, or never gets past starting. It is then killed, which is a
 * crash like any other. A Collector that is healthy and has nothing to say is left alone.
 */
export class Liveness {
  readonly #deps: LivenessDeps;
  #deadline: Timer | undefined;
  #stop: () => void = () => undefined;

  constructor(deps: LivenessDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#stop = this.#deps.collector.observe((event) => this.#onEvent(event));
  }

  stop(): void {
    this.#stop();
    this.#deadline?.cancel();
  }

  /** A ping on the open link was not answered in time. */
  unanswered(): void {
    this.#kill("it does not answer on its link any more");
  }

  #onEvent(event: CollectorEvent): void {
    switch (event.t) {
      case "state":
        this.#clear();
        this.#reconsider();
        return;
      case "linked":
      case "unlinked":
      case "health":
        this.#reconsider();
        return;
      case "effective-config":
      case "exited":
      case "start-failed":
    }
  }

  #reconsider(): void {
    const { collector, timeoutMs } = this.#deps;
    const { state, link } = collector;
    switch (state.t) {
      case "starting": {
        // Reports in between do not buy time.
        const limit = state.process.adopted ? redialMs : timeoutMs;
        if (this.#deadline === undefined) this.#within(limit, "it never got past starting");
        return;
      }
      case "running":
        this.#clear();
        if (link === undefined) this.#within(redialMs, "it has no link to the supervisor");
        return;
      case "stopped":
      case "stopping":
      case "backing-off":
      case "held":
        this.#clear();
    }
  }

  #within(ms: number, reason: string): void {
    this.#deadline = this.#deps.clock.setTimer(ms, () => {
      this.#deadline = undefined;
      this.#kill(reason);
      // A claimed one was left alone: its time begins again.
      this.#reconsider();
    });
  }

  #clear(): void {
    this.#deadline?.cancel();
    this.#deadline = undefined;
  }

  #kill(reason: string): void {
    // Whoever claimed it waits for a proof, and has a time limit of his own.
    if (!this.#deps.collector.claimed) this.#deps.collector.killHung(reason);
  }
}
