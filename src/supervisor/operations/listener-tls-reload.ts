import type { Clock, Timer } from "../../foundation/clock.ts";
import { describeError } from "../../foundation/errors.ts";
import type { Logger } from "../../foundation/logger.ts";
import type { ListenerTlsSettings } from "../settings/supervisor-settings.ts";
import { watchFiles } from "./file-watch.ts";

/**
 * Calls `apply` at every `reload_interval`, and with `client_ca_file_reload` when that file changes. When it
 * throws, as in the middle of a renewal, what was applied before stays.
 */
export async function reloadListenerTls(
  { reloadIntervalMs, clientCaFile, clientCaFileReload }: ListenerTlsSettings,
  apply: () => void,
  { clock, logger }: { clock: Clock; logger: Logger },
): Promise<{ close(): Promise<void> }> {
  const tryToApply = () => {
    try {
      apply();
    } catch (error) {
      const fields = { event: "tls_reload_failed", error: describeError(error) };
      logger.warn(fields, "the files of healthcheck.tls cannot be used; those read before are");
    }
  };
  let timer: Timer | undefined;
  const schedule = (intervalMs: number) => {
    timer = clock.setTimer(intervalMs, () => {
      tryToApply();
      schedule(intervalMs);
    });
  };
  // As in the Collector, 0 is no interval.
  if (reloadIntervalMs) schedule(reloadIntervalMs);
  const watched = clientCaFileReload && clientCaFile !== undefined ? [clientCaFile] : [];
  const watcher = await watchFiles(watched, clock, tryToApply);
  return {
    close: () => {
      timer?.cancel();
      return watcher.close();
    },
  };
}
