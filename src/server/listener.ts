import type { IncomingMessage } from "node:http";
import { createServer, type RequestListener, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { isIPv6, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Clock } from "../foundation/clock.ts";
import { describeError, errorCode } from "../foundation/errors.ts";
import type { Logger } from "../foundation/logger.ts";
import type { ListenAddress } from "../foundation/settings-file/listen-address.ts";
import type { ListenerTls } from "./settings/server-settings.ts";
import { loadTlsMaterial } from "./tls-material.ts";
import { reloadTls } from "./tls-reload.ts";

export interface ListenerOptions {
  /** Its section in server.yaml, for errors: `opamp` or `management`. */
  section: string;
  address: ListenAddress;
  tls: ListenerTls | undefined;
  /** Authority (PEM) whose certificates are taken as well, and asked for without being needed. */
  alsoTrust?: string | undefined;
  onRequest: RequestListener;
  onUpgrade?: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
  /** A failure that costs single connections only, such as too many open files. */
  onError: (error: Error) => void;
  /** How long a connection may take to its TLS handshake's end, and to that of the first request's headers. Default 10 s. */
  handshakeTimeoutMs?: number;
  /** How long an HTTP connection may be idle between two requests. Default: Node's. */
  keepAliveTimeoutMs?: number;
  clock: Clock;
  log: Logger;
}

/** An open port. */
export interface Listener {
  /** `host:port` with the scheme `http` or `https`, as a client on this machine reaches it. */
  readonly url: URL;
  /** Takes no more connections, at once; those that are open stay. */
  stopAccepting(): void;
  /** Resolves when every connection is closed; those still open are cut off. */
  close(): Promise<void>;
}

/**
 * Opens a port.
 * @throws TlsMaterialError for unusable certificates; Error that names the setting when the port cannot be had.
 */
export async function openListener(options: ListenerOptions): Promise<Listener> {
  const { tls, section, address, onUpgrade, onError, keepAliveTimeoutMs } = options;
  const { server, stopReloading } = createListener(options);
  if (onUpgrade !== undefined) server.on("upgrade", onUpgrade);
  if (keepAliveTimeoutMs !== undefined) server.keepAliveTimeout = keepAliveTimeoutMs;
  const handshakes = new Set<Socket>();
  // A connection that never finishes its TLS handshake is known to nobody else.
  server.on("connection", (socket: Socket) => {
    handshakes.add(socket);
    socket.once("close", () => handshakes.delete(socket));
  });
  await listen(server, section, address).catch((error: unknown) => {
    stopReloading();
    throw error;
  });
  server.on("error", onError);
  const closed = Promise.withResolvers<void>();
  server.once("close", () => {
    stopReloading();
    closed.resolve();
  });
  return {
    url: urlOf(server, address, tls !== undefined),
    stopAccepting: () => server.close(),
    async close() {
      server.close();
      server.closeAllConnections();
      for (const socket of handshakes) socket.destroy();
      await closed.promise;
    },
  };
}

/** With TLS, its files are looked at for as long as the server is open. */
function createListener(options: ListenerOptions): { server: Server; stopReloading: () => void } {
  const { tls, alsoTrust, section, onRequest, clock, log, handshakeTimeoutMs = 10_000 } = options;
  // Whoever connects and says nothing holds a file descriptor, which Agents need.
  const limits = { headersTimeout: handshakeTimeoutMs, connectionsCheckingInterval: handshakeTimeoutMs / 2 };
  if (tls === undefined) return { server: createServer(limits, onRequest), stopReloading: () => undefined };
  const setting = `${section}.tls`;
  const load = () => loadTlsMaterial(tls, setting, alsoTrust);
  const current = load();
  const server = createTlsServer({ ...current, ...limits, handshakeTimeout: handshakeTimeoutMs }, onRequest);
  const isFixed = [tls.certificate, tls.key, tls.clientCa].every(
    (source) => source === undefined || "pem" in source,
  );
  if (isFixed) return { server, stopReloading: () => undefined };
  return { server, stopReloading: reloadTls({ server, setting, current, load, clock, log }) };
}

async function listen(server: Server, section: string, { host, port }: ListenAddress): Promise<void> {
  const opened = Promise.withResolvers<void>();
  server.once("listening", opened.resolve);
  server.once("error", opened.reject);
  server.listen(host === "" ? { port } : { host, port });
  try {
    await opened.promise;
  } catch (cause) {
    throw new Error(explainListenError(cause, section, host === "" ? "every address" : host, port));
  }
  server.off("error", opened.reject);
}

function explainListenError(cause: unknown, section: string, host: string, port: number): string {
  const setting = `${section}.endpoint`;
  const explanations: Record<string, string> = {
    EADDRINUSE: `port ${port} on ${host} is in use by another process: stop that one, or set ${setting} to a free port`,
    EACCES: `this user may not listen on port ${port}: use a port above 1023, or grant CAP_NET_BIND_SERVICE`,
    EADDRNOTAVAIL: `${host} is no address of this machine: use one that is, or 0.0.0.0 for all`,
    ENOTFOUND: `${host} is no address of this machine: use one that is, or 0.0.0.0 for all`,
  };
  const unexpected = `cannot listen on ${host} port ${port}: ${describeError(cause)}`;
  return `${setting}: ${explanations[errorCode(cause) ?? ""] ?? unexpected}`;
}

function urlOf(server: Server, { host }: ListenAddress, secure: boolean): URL {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server has no port");
  const isEverywhere = host === "" || host === "0.0.0.0" || host === "::";
  const name = isEverywhere ? "127.0.0.1" : isIPv6(host) ? `[${host}]` : host;
  return new URL(`${secure ? "https" : "http"}://${name}:${address.port}`);
}
