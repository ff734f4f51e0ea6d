import type { Clock } from "../../../foundation/clock.ts";
import type { Logger } from "../../../foundation/logger.ts";
import type { ProxyFor } from "../../../foundation/proxy/proxy.ts";

/** One file to get. */
export interface DownloadRequest {
  /** http:, https: or, from a drop folder only, file:. May hold a password or token: it is never shown. */
  readonly url: string;
  /** Secrets, sent to the origin of `url` and to nobody else. */
  readonly headers: Readonly<Record<string, string>>;
  /** Of the whole file, in hexadecimal (AP6). */
  readonly sha256: string;
  /** Finished or partial file; what is needed to resume lies beside it as `${path}.json`. */
  readonly path: string;
}

export interface DownloadSettings {
  /** Base URLs (http:, https:, file:) that are tried first: the name of the file in the request's URL is appended. */
  readonly mirrors: readonly string[];
  readonly maxBytes: number;
  /** Undefined: as fast as it goes. Files of this host are not slowed. */
  readonly bytesPerSecond: number | undefined;
  /** Longest silence of a source. A trickle is none: it takes its time, but no memory. */
  readonly stallTimeoutMs: number;
}

/**
 * `own`: the file itself is bad (wrong hash, too large). `host`: this machine cannot take it (disk full,
 * not writable). Only an aborted download can be resumed; after the others nothing of it is left on disk,
 * unless the disk refused that as well.
 */
export type DownloadOutcome =
  | { readonly t: "done"; readonly bytes: number }
  | { readonly t: "failed"; readonly fault: "own" | "host"; readonly reason: string }
  | { readonly t: "aborted" };

export interface DownloadProgress {
  /** What is on disk, also from before a restart. */
  readonly receivedBytes: number;
  readonly totalBytes: number | undefined;
  readonly bytesPerSecond: number;
  /** Set after several tries in a row got no byte further; it is still being tried. */
  readonly problem: string | undefined;
}

export interface DownloadDeps {
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly signal: AbortSignal;
  /** At most once a second, but always at the start and at the end. */
  readonly onProgress: (progress: DownloadProgress) => void;
  readonly logger: Logger;
  /** What this user may still write to the file system of a directory. */
  readonly freeBytes: (directory: string) => Promise<number>;
  /** Authorities beside those that Node trusts by itself (`NODE_EXTRA_CA_CERTS`). */
  readonly tls?: { readonly ca: string };
  /** Default: as the environment says (`HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`). */
  readonly proxyFor?: ProxyFor | undefined;
}
