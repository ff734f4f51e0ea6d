import { X509Certificate } from "node:crypto";
import { createSecureContext } from "node:tls";
import type { Clock } from "../../foundation/clock.ts";
import { describeError } from "../../foundation/errors.ts";
import type { Logger } from "../../foundation/logger.ts";
import type { ClientTls } from "../../opamp/agent/settings.ts";
import type { TlsSettings } from "../settings/supervisor-settings.ts";
import { clientTls } from "./client-tls.ts";

/**
 * `server.tls`, asked for every dial. The files are read again at the first dial after
 * `server.tls.reload_interval`; what cannot be used, as in the middle of a renewal, leaves what was read before.
 * @throws when a file cannot be read now; the message names the key.
 */
export function reloadingTls(
  settings: TlsSettings,
  { clock, logger }: { clock: Clock; logger: Logger },
): () => ClientTls {
  let current = clientTls(settings);
  let readAt = clock.monotonic();
  const { reloadIntervalMs } = settings;
  // As in the Collector, 0 is no interval.
  if (!reloadIntervalMs) return () => current;
  return () => {
    if (clock.monotonic() - readAt < reloadIntervalMs) return current;
    readAt = clock.monotonic();
    try {
      const fresh = clientTls(settings);
      if (!isSame(fresh, current)) {
        checkUsable(fresh);
        current = fresh;
        logger.info(
          { event: "tls_reloaded" },
          "the files of server.tls have changed and are used from now on",
        );
      }
    } catch (error) {
      const fields = { event: "tls_reload_failed", error: describeError(error) };
      logger.warn(fields, "the files of server.tls cannot be used; those read before are");
    }
    return current;
  };
}

function isSame(a: ClientTls, b: ClientTls): boolean {
  return a.cert === b.cert && a.key === b.key && firstOf(a.ca) === firstOf(b.ca);
}

/** The configured authorities; those of the system follow. */
const firstOf = (ca: ClientTls["ca"]) => (Array.isArray(ca) ? ca[0] : ca);

/** @throws when certificate and key do not belong together, or something is no PEM. */
function checkUsable({ ca, cert, key }: ClientTls): void {
  const authority = firstOf(ca);
  if (authority !== undefined) new X509Certificate(authority);
  createSecureContext({ ...(cert !== undefined && { cert }), ...(key !== undefined && { key }) });
}
