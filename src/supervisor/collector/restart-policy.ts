import { Backoff } from "../../foundation/backoff.ts";
import type { Clock } from "../../foundation/clock.ts";

export interface RestartPolicyOptions {
  clock: Clock;
  /** More exits than this within the window are a crash loop. */
  maxExits: number;
  /** Milliseconds. */
  windowMs: number;
  /** Health that lasts this long starts the delays over. Milliseconds, default 60 000. */
  healthyMs?: number;
  /** Random source in [0, 1). */
  random?: () => number;
}

/** What to do after an exit that nobody asked for. */
export interface RestartDecision {
  delayMs: number;
  /** This configuration on this binary is not worth another try. */
  crashLoop: boolean;
  /** 1 for the first restart since the last long health. */
  attempt: number;
}

/** What outlives the supervisor. Times are wall clock, in milliseconds since the epoch. */
export interface RestartSnapshot {
  exits: number[];
  attempt: number;
}

/** Past this attempt the delay no longer grows. */
const lastGrowth = 8;

/**
 * When to start a Collector again: at once after the first exit, then half a second to 30 s with jitter, so that
 * one that dies at once is known for a crash loop within five seconds. Exits are counted over a window that health does not empty, so that a slow crash loop is one too.
 */
export class RestartPolicy {
  readonly #clock: Clock;
  readonly #maxExits: number;
  readonly #windowMs: number;
  readonly #healthyMs: number;
  readonly #backoff: Backoff;
  #exits: number[] = [];
  #attempt = 0;
  /** Monotonic time since when it is healthy. */
  #healthySince: number | undefined;

  constructor({ clock, maxExits, windowMs, healthyMs = 60_000, random }: RestartPolicyOptions) {
    this.#clock = clock;
    this.#maxExits = maxExits;
    this.#windowMs = windowMs;
    this.#healthyMs = healthyMs;
    this.#backoff = new Backoff({
      initialMs: 500,
      maxMs: 30_000,
      factor: 2,
      jitter: 0.5,
      ...(random === undefined ? {} : { random }),
    });
  }

  /** The Collector ended without having been asked to. */
  recordExit(): RestartDecision {
    if (this.#healthySince !== undefined && this.#clock.monotonic() - this.#healthySince >= this.#healthyMs) {
      this.#startOver();
    }
    this.#healthySince = undefined;
    // One more than allowed is all a verdict needs.
    this.#exits = [...this.#recentExits(), this.#clock.now()].slice(-(this.#maxExits + 1));
    this.#attempt += 1;
    return {
      delayMs: this.#attempt === 1 ? 0 : this.#backoff.next(),
      crashLoop: this.#exits.length > this.#maxExits,
      attempt: this.#attempt,
    };
  }

  /** It is healthy now. Repeating it does not start the time over. */
  recordHealthy(): void {
    this.#healthySince ??= this.#clock.monotonic();
  }

  /** It runs and is not healthy now. */
  recordUnhealthy(): void {
    this.#healthySince = undefined;
  }

  /** What runs from now on has no share in the earlier exits. */
  recordConfigurationChanged(): void {
    this.#exits = [];
    this.#healthySince = undefined;
    this.#startOver();
  }

  snapshot(): RestartSnapshot {
    return { exits: this.#recentExits(), attempt: this.#attempt };
  }

  /** Takes up the counts of an earlier supervisor; what makes no sense in them is dropped. */
  restore({ exits, attempt }: RestartSnapshot): void {
    this.#exits = exits;
    this.#exits = this.#recentExits().slice(-(this.#maxExits + 1));
    this.#startOver();
    this.#attempt = Number.isInteger(attempt) && attempt > 0 ? attempt : 0;
    for (let passed = 1; passed < Math.min(this.#attempt, lastGrowth); passed += 1) this.#backoff.next();
  }

  /** Exits within the window. A time in the future was written under a clock that has since been set back. */
  #recentExits(): number[] {
    const now = this.#clock.now();
    return this.#exits.filter((exit) => exit <= now && now - exit < this.#windowMs);
  }

  #startOver(): void {
    this.#attempt = 0;
    this.#backoff.reset();
  }
}
