/** A pending callback of a {@link Clock}. Cancelling twice, or after it ran, does nothing. */
export interface Timer {
  cancel(): void;
}

/** Time as a dependency, so that a test can move it. All values are in milliseconds. */
export interface Clock {
  /** Wall clock, since the Unix epoch. May jump; never use it to measure a duration. */
  now(): number;
  /** Never goes back; only differences mean anything. */
  monotonic(): number;
  /** Runs `callback` once, after `delayMs`. A pending timer does not keep the process alive. */
  setTimer(delayMs: number, callback: () => void): Timer;
}

/** A wall clock that says less was never set: this program did not exist then. */
const earliestMs = Date.UTC(2025, 0, 1);

/** Whether a wall clock can be believed, as it cannot on a device that starts in 1970 and has no network yet. */
export const isClockSet = (now: number) => now >= earliestMs;

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimer(delayMs, callback) {
    const handle = setTimeout(callback, delayMs);
    handle.unref();
    return { cancel: () => clearTimeout(handle) };
  },
};

/** Resolves after `delayMs`, or rejects with the signal's reason as soon as `signal` aborts. */
export function wait(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason as Error);
      return;
    }
    const onAbort = () => {
      timer.cancel();
      reject(signal?.reason as Error);
    };
    const timer = clock.setTimer(delayMs, () => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    });
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}
