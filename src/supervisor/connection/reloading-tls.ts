import { X509Certificate } from "node:crypto";
import { createSecureContext } from "node:tls";
import type { Clock } from "../../foundation/clock.ts";
import { describeError } from "../../foundation/errors.ts";
import type { Logger } from "../../foundation/logger.ts";
import type { ClientTls } from "../../opamp/agent/settings.ts";
import type { TlsSettings } from "../settings/supervisor-settings.ts";
import { clientTls } from "./client-tls.ts";

/**
 * `server.tls`, asked for every dial. The files are read again for each, with `server.tls.reload_interval` for the
 * first after that; what cannot be used, as in the middle of a renewal, leaves what was read before.
 * With `mayWait`, files that cannot be read now are asked for again at every dial: a host whose Collector has a
 * configuration to run does not stay dark for the sake of its server's certificate.
 * @throws when a file cannot be read now; the message names the key.
 */
export function reloadingTls(
  settings: TlsSettings,
  { clock, logger, mayWait = false }: { clock: Clock; logger: Logger; mayWait?: boolean },
): () => ClientTls {
  let isWhole = true;
  let current: ClientTls;
  try {
    current = clientTls(settings);
  } catch (error) {
    if (!mayWait) throw error;
    isWhole = false;
    const fields = { event: "tls_unusable", error: describeError(error) };
    logger.error(fields, "the files of server.tls cannot be read; they are tried again at every connect");
    // No authority at all is trusted instead: without its files the server is only not reached.
    const rest = { ...settings, caFile: undefined, certFile: undefined, keyFile: undefined };
    current = { ...clientTls(rest), ca: [] };
  }
  try {
    checkUsable(current);
  } catch (error) {
    isWhole = false;
    const fields = { event: "tls_unusable", error: describeError(error) };
    logger.error(fields, "the files of server.tls cannot be used; they are read again at every connect");
  }
  let readAt = clock.monotonic();
  const { reloadIntervalMs } = settings;
  let complaint = "";
  const isDue = () => {
    if (!isWhole || reloadIntervalMs === undefined) return true;
    // As in the Collector, 0 is no interval.
    return reloadIntervalMs > 0 && clock.monotonic() - readAt >= reloadIntervalMs;
  };
  return () => {
    if (!isDue()) return current;
    readAt = clock.monotonic();
    try {
      const fresh = clientTls(settings);
      if (!isWhole || !isSame(fresh, current)) {
        checkUsable(fresh);
        current = fresh;
        logger.info(
          { event: "tls_reloaded" },
          "the files of server.tls have changed and are used from now on",
        );
      }
      isWhole = true;
      complaint = "";
    } catch (error) {
      const reason = describeError(error);
      const fields = { event: "tls_reload_failed", error: reason };
      if (reason !== complaint)
        logger.warn(fields, "the files of server.tls cannot be used; those read before are");
      complaint = reason;
    }
    return current;
  };
}

function isSame(a: ClientTls, b: ClientTls): boolean {
  return a.cert === b.cert && a.key === b.key && firstOf(a.ca) === firstOf(b.ca);
}

/** The configured authorities; those of the system follow. */
const firstOf = (ca: ClientTls["ca"]) => (Array.isArray(ca) ? ca[0] : ca);

/** @throws when certificate and key do not belong together, or something is no PEM; the message names the keys. */
function checkUsable({ ca, cert, key }: ClientTls): void {
  const authority = firstOf(ca);
  try {
    if (authority !== undefined) new X509Certificate(authority);
  } catch (cause) {
    throw new Error("server.tls: ca_file (or ca_pem) is no certificate in PEM", { cause });
  }
  try {
    createSecureContext({ ...(cert !== undefined && { cert }), ...(key !== undefined && { key }) });
  } catch (cause) {
    throw new Error("server.tls: certificate and key do not belong together, or are no PEM", { cause });
  }
}
