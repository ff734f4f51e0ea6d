import { defaultMaxMessageBytes, defaultOpampPath } from "../limits.ts";
import type { EndpointOptions } from "./contract.ts";

/** The options of an endpoint with every default filled in. */
export type EndpointSettings = Required<EndpointOptions>;

export function fillDefaults(options: EndpointOptions): EndpointSettings {
  return {
    path: defaultOpampPath,
    customCapabilities: [],
    maxMessageBytes: defaultMaxMessageBytes,
    maxConnections: 20_000,
    maxMessagesPerSecond: 1_000,
    maxBufferedBytes: 16 * 1024 * 1024,
    compression: true,
    closeTimeoutMs: 5_000,
    handshakeTimeoutMs: 30_000,
    idleTimeoutMs: 60_000,
    random: Math.random,
    ...options,
  };
}
