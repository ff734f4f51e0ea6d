import type { ConnectionOptions } from "node:tls";
import { proxyOfEnvironment } from "../../foundation/proxy/environment.ts";
import type { ForwardProxy, ProxyFor } from "../../foundation/proxy/proxy.ts";

/** Client side TLS, as `node:tls` takes it. */
export interface ClientTls
  extends Pick<
    ConnectionOptions,
    | "ca"
    | "cert"
    | "key"
    | "servername"
    | "minVersion"
    | "maxVersion"
    | "ciphers"
    | "ecdhCurve"
    | "rejectUnauthorized"
    | "checkServerIdentity"
  > {}

/** How one session reaches its server. */
export interface AgentSessionSettings {
  /** `ws:` and `wss:` select WebSocket, `http:` and `https:` plain HTTP (AT1). */
  endpoint: URL;
  /** Asked for every dial and request, so that tokens can be renewed. Headers the protocol needs win. */
  headers: () => Promise<Record<string, string>> | Record<string, string>;
  /** Told when the server answers that it does not know who this is (HTTP 401). */
  onUnauthorized?: () => void;
  /** A function is asked for every dial, so that certificates can be renewed; it must not throw. */
  tls?: ClientTls | (() => ClientTls);
  /** 0 switches heartbeats off on WebSocket; plain HTTP then polls at the default of 30 s (AW11, AH6, D1). */
  heartbeatIntervalMs: number;
  /** Limit of every message in both directions, after inflation and before compression (AW4, AW5, AH8, AH9). */
  maxMessageBytes: number;
  /** Time between WebSocket pings; a ping without a pong until the next one means a dead peer. 0: none. Default 30 s. */
  pingIntervalMs?: number;
  /** Default: as the environment says (`HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`). */
  proxyFor?: ProxyFor;
  /** Hosts, with or without a port, that a redirect may lead to beside the endpoint's own; no headers go there. */
  allowedRedirectHosts?: readonly string[];
}

/** TLS for a dial that begins now. */
export function presentTls({ tls }: Pick<AgentSessionSettings, "tls">): ClientTls | undefined {
  return typeof tls === "function" ? tls() : tls;
}

/** The proxy on the way to a URL. @throws when the environment names something that is none. */
export function proxyOf(
  { proxyFor }: Pick<AgentSessionSettings, "proxyFor">,
  target: URL,
): ForwardProxy | undefined {
  return (proxyFor ?? proxyOfEnvironment(process.env))(target);
}
