import type { Clock, Timer } from "../../foundation/clock.ts";

/** Editors and config-map updates change a file in several steps; this long without another one is the end. */
const settleMs = 100;

/**
 * Calls `onChange` after one of `paths` was changed, replaced, created or removed, once for a burst.
 * chokidar copes with atomic replacement and with the symbolic links of Kubernetes volumes.
 */
export async function watchFiles(
  paths: readonly string[],
  clock: Clock,
  onChange: () => void,
): Promise<{ close(): Promise<void> }> {
  if (paths.length === 0) return { close: () => Promise.resolve() };
  const { watch } = await import("chokidar");
  let timer: Timer | undefined;
  const watcher = watch([...paths], { ignoreInitial: true, atomic: true });
  watcher.on("all", () => {
    timer?.cancel();
    timer = clock.setTimer(settleMs, onChange);
  });
  return {
    async close() {
      timer?.cancel();
      await watcher.close();
    },
  };
}
