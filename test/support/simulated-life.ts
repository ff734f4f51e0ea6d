import type { Clock, Timer } from "../../src/foundation/clock.ts";

/** When a simulated kill -9 of the supervisor happens: at the `effect`-th thing it does from now on. */
export interface CrashPoint {
  effect: number;
  /** Whether that effect still takes place. */
  when: "before" | "after";
}

const never = new Promise<never>(() => undefined);

/**
 * One life of a supervisor process. Everything that it does to the world goes through {@link perform}; once it is
 * over, nothing of it happens any more: promises never settle, timers never fire.
 */
export class Life {
  readonly clock: Clock;
  readonly #world: Clock;
  readonly #onEnd: () => void;
  #over = false;
  #crash: CrashPoint | undefined;

  constructor(world: Clock, onEnd: () => void) {
    this.#world = world;
    this.#onEnd = onEnd;
    this.clock = {
      now: () => world.now(),
      monotonic: () => world.monotonic(),
      setTimer: (delayMs, callback) => this.#setTimer(delayMs, callback),
    };
  }

  get over(): boolean {
    return this.#over;
  }

  end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#onEnd();
  }

  crashAt(point: CrashPoint | undefined): void {
    this.#crash = point && { ...point };
  }

  /** An effect that takes `latencyMs` of simulated time; it can be the last thing that this life does. */
  async perform<T>(action: () => T, latencyMs = 1): Promise<T> {
    if (this.#strikes("before")) return never;
    if (latencyMs > 0) await this.sleep(latencyMs);
    if (this.#over) return never;
    try {
      return action();
    } finally {
      // A crash that strikes here leaves the effect, but nobody who knows of it.
      if (this.#strikes("after")) await never;
    }
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#setTimer(ms, resolve);
    });
  }

  #setTimer(delayMs: number, callback: () => void): Timer {
    return this.#world.setTimer(delayMs, () => {
      if (!this.#over) callback();
    });
  }

  #strikes(when: CrashPoint["when"]): boolean {
    if (this.#over) return true;
    const crash = this.#crash;
    if (crash === undefined) return false;
    // Both sides of one effect have the same number.
    if (when === "before") crash.effect -= 1;
    if (crash.effect > 0 || crash.when !== when) return false;
    this.end();
    return true;
  }
}
