import { type ClientRequest, request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import type { Socket } from "node:net";
import type { ConnectionOptions } from "node:tls";
import { type ForwardProxy, hostOf, portOf, userinfoOf } from "./proxy.ts";

/** Where a tunnel ends. An IPv6 address has no brackets. */
export interface TunnelTarget {
  host: string;
  port: number;
}

/** TLS towards a proxy that is reached by https. */
export type ProxyTls = Pick<ConnectionOptions, "ca" | "cert" | "key" | "minVersion" | "rejectUnauthorized">;

/**
 * Asks an HTTP proxy for a tunnel (RFC 9110, section 9.3.6); resolves to the socket behind which the target speaks.
 * @throws when the proxy does not grant it; the message names proxy and status.
 */
export function connectTunnel(
  { url, connectHeaders }: ForwardProxy,
  { host, port }: TunnelTarget,
  { tls, signal }: { tls: ProxyTls; signal: AbortSignal },
): Promise<Socket> {
  const authority = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  const userinfo = userinfoOf(url);
  const credentials = userinfo && Buffer.from(`${userinfo.user}:${userinfo.password}`).toString("base64");
  const options = {
    host: hostOf(url),
    port: portOf(url),
    method: "CONNECT",
    path: authority,
    agent: false,
    signal,
    headers: {
      Host: authority,
      ...(credentials !== undefined && { "Proxy-Authorization": `Basic ${credentials}` }),
      ...connectHeaders,
    },
  };
  const request: ClientRequest =
    url.protocol === "https:" ? httpsRequest({ ...options, ...tls }) : httpRequest(options);
  const refused = (status: number | undefined) =>
    new Error(`the proxy ${url.host} refuses to connect to ${authority} (HTTP ${status ?? 0})`);
  return new Promise((resolve, reject) => {
    request.on("error", reject);
    request.on("response", (response) => {
      response.destroy();
      reject(refused(response.statusCode));
    });
    request.on("connect", ({ statusCode = 0 }, socket, head) => {
      if (statusCode < 200 || statusCode > 299) {
        socket.destroy();
        reject(refused(statusCode));
        return;
      }
      if (head.length > 0) socket.unshift(head);
      resolve(socket as Socket);
    });
    request.end();
  });
}
