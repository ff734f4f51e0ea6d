import type { LogLevel } from "../../foundation/logger.ts";
import type { ListenAddress } from "../../foundation/settings-file/listen-address.ts";

/** Where a PEM text comes from. */
export type PemSource = { file: string } | { pem: string };

/** TLS of a listener. */
export interface ListenerTls {
  certificate: PemSource;
  key: PemSource;
  /** When set, only clients with a certificate of this authority are let in. */
  clientCa: PemSource | undefined;
  minVersion: "1.2" | "1.3";
}

/** What opamp-server runs by, complete: defaults filled in, sizes in bytes, times in milliseconds. */
export interface ServerSettings {
  opamp: {
    address: ListenAddress;
    path: string;
    tls: ListenerTls | undefined;
    maxMessageBytes: number;
    maxConnections: number;
    heartbeatIntervalMs: number;
  };
  management: {
    address: ListenAddress;
    tls: ListenerTls | undefined;
    maxBodyBytes: number;
  };
  logs: {
    level: LogLevel;
    /** `auto`: for people on a terminal, for machines elsewhere. */
    format: "auto" | "json" | "terminal";
    outputPaths: readonly string[];
  };
}
