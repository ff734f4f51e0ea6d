import { setTimeout as sleep } from "node:timers/promises";

const intervalMs = 25;

/**
 * Tries `probe` again until it neither throws nor returns undefined or false, and resolves to what it
 * returned. Only for what announces itself by no event (a file, /proc). Rejects with the last failure.
 */
export async function eventually<T>(
  what: string,
  probe: () => T | Promise<T>,
  timeoutMs = 10_000,
): Promise<Exclude<T, undefined | false>> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    let failure: unknown;
    try {
      const value = await probe();
      if (value !== undefined && value !== false) return value as Exclude<T, undefined | false>;
    } catch (error) {
      failure = error;
    }
    if (performance.now() > deadline) {
      throw new Error(`not within ${timeoutMs} ms: ${what}`, { cause: failure });
    }
    await sleep(intervalMs);
  }
}
