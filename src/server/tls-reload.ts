import type { Server as TlsServer } from "node:tls";
import type { Clock, Timer } from "../foundation/clock.ts";
import { describeError } from "../foundation/errors.ts";
import type { Logger } from "../foundation/logger.ts";
import type { TlsMaterial } from "./tls-material.ts";

export interface TlsReloadOptions {
  server: Pick<TlsServer, "setSecureContext">;
  /** Of the listener in server.yaml, for the log: `opamp.tls`. */
  setting: string;
  /** What the server was opened with. */
  current: TlsMaterial;
  /** Reads it anew. @throws TlsMaterialError */
  load: () => TlsMaterial;
  clock: Clock;
  log: Logger;
}

/** Files are looked at rather than watched: a mounted secret is a link that is replaced, on file systems that tell nobody. */
const lookEveryMs = 10_000;

/**
 * Takes over certificate, key and client authorities of a listener when their files change. Open connections stay; what
 * cannot be used, such as a key that is not written yet, leaves the former in place. Ends when the result is called.
 */
export function reloadTls({ server, setting, current, load, clock, log }: TlsReloadOptions): () => void {
  let used = fingerprintOf(current);
  let complaint: string | undefined;
  let timer: Timer;
  const look = () => {
    try {
      const material = load();
      complaint = undefined;
      if (fingerprintOf(material) !== used) {
        server.setSecureContext(material);
        used = fingerprintOf(material);
        log.info({ event: "tls_reloaded", setting }, "new connections get the changed certificate");
      }
    } catch (error) {
      const text = describeError(error);
      // Once, however long it lasts.
      if (text !== complaint) {
        log.warn(
          { event: "tls_reload_failed", setting, error: text },
          "the certificate before the change stays",
        );
      }
      complaint = text;
    }
    wait();
  };
  const wait = () => {
    timer = clock.setTimer(lookEveryMs, look);
  };
  wait();
  return () => timer.cancel();
}

const fingerprintOf = ({ cert, key, ca }: TlsMaterial) => JSON.stringify([cert, key, ca]);
