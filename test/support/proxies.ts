import { once } from "node:events";
import {
  createServer,
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
} from "node:http";
import { createServer as createTlsServer, type ServerOptions } from "node:https";
import {
  type AddressInfo,
  connect,
  createServer as createTcpServer,
  type Server,
  type Socket,
} from "node:net";
import type { Duplex } from "node:stream";
import { onTestFinished } from "vitest";

/** What a proxy was asked for. */
export interface ProxyRequest {
  /** `host:port` of a tunnel, or the whole URL of a request that it passes on. */
  target: string;
  headers: IncomingHttpHeaders;
}

/** The name that every proxy here takes for this machine, and nobody else knows. */
export const nameBehindProxy = "opamp.test";

const addressOf = (host: string) => (host === nameBehindProxy ? "127.0.0.1" : host);

/** An HTTP proxy that tunnels and passes on, until the test ends. `refuse` answers with that status instead. */
export async function startHttpProxy({
  tls,
  refuse,
}: {
  tls?: ServerOptions;
  refuse?: number;
} = {}): Promise<{ url: string; port: number; requests: ProxyRequest[] }> {
  const requests: ProxyRequest[] = [];
  const note = ({ url = "", headers }: IncomingMessage) => requests.push({ target: url, headers });
  const proxy = tls === undefined ? createServer() : createTlsServer(tls);
  const sockets = track(proxy);
  proxy.on("request", (request: IncomingMessage, response) => {
    note(request);
    const url = new URL(request.url ?? "");
    url.hostname = addressOf(url.hostname);
    const { method } = request;
    const { "proxy-authorization": _, "proxy-connection": __, ...headers } = request.headers;
    const onward = httpRequest(url, { headers, method: method ?? "GET" }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    request.pipe(onward.on("error", () => response.destroy()));
  });
  proxy.on("connect", (request: IncomingMessage, client: Duplex, head: Buffer) => {
    note(request);
    if (refuse !== undefined) {
      client.end(`HTTP/1.1 ${refuse} No\r\nContent-Length: 0\r\n\r\n`);
      return;
    }
    const { hostname, port } = new URL(`any://${request.url}`);
    const target = connect(Number(port), addressOf(hostname), () => client.write("HTTP/1.1 200 OK\r\n\r\n"));
    target.write(head);
    join(client, target, sockets);
  });
  const port = await listen(proxy, sockets);
  return { url: `${tls === undefined ? "http" : "https"}://127.0.0.1:${port}`, port, requests };
}

/** What a SOCKS5 proxy was asked for. */
export interface SocksRequest {
  /** 1, 3 and 4 of RFC 1928: an IPv4 address, a name, an IPv6 address. */
  addressType: number;
  target: string;
  user: string | undefined;
}

/**
 * A SOCKS5 proxy (RFC 1928, RFC 1929) until the test ends. With a `password` it wants one; `reply` is what it answers
 * instead of connecting.
 */
export async function startSocksProxy({
  password,
  reply = 0,
}: {
  password?: string;
  reply?: number;
} = {}): Promise<{ url: string; port: number; requests: SocksRequest[] }> {
  const requests: SocksRequest[] = [];
  const proxy = createTcpServer();
  const sockets = track(proxy);
  proxy.on("connection", (client: Socket) => {
    serve(client).catch(() => client.destroy());
  });
  const serve = async (client: Socket) => {
    const read = (bytes: number) => exactly(client, bytes);
    const [, count = 0] = await read(2);
    await read(count);
    let user: string | undefined;
    if (password === undefined) client.write(Buffer.from([5, 0]));
    else {
      client.write(Buffer.from([5, 2]));
      user = (await read((await read(2))[1] ?? 0)).toString();
      const given = (await read((await read(1))[0] ?? 0)).toString();
      client.write(Buffer.from([1, given === password ? 0 : 1]));
      if (given !== password) return void client.end();
    }
    const [, , , addressType = 0] = await read(4);
    const host = await hostIn(addressType, read);
    const port = (await read(2)).readUInt16BE();
    requests.push({ addressType, target: `${host}:${port}`, user });
    // The address that it is bound to has a length of its own.
    const bound = Buffer.from([3, 4, ...Buffer.from("here"), 0, 80]);
    if (reply !== 0) return void client.end(Buffer.concat([Buffer.from([5, reply, 0]), bound]));
    const target = connect(port, addressOf(host), () => {
      // In two pieces: it may come so.
      client.write(Buffer.from([5, 0, 0]));
      setImmediate(() => client.write(bound));
    });
    join(client, target, sockets);
  };
  const port = await listen(proxy, sockets);
  return { url: `socks5h://127.0.0.1:${port}`, port, requests };
}

async function hostIn(addressType: number, read: (bytes: number) => Promise<Buffer>): Promise<string> {
  if (addressType === 1) return [...(await read(4))].join(".");
  if (addressType === 3) return (await read((await read(1))[0] ?? 0)).toString();
  const groups = (await read(16)).toString("hex").match(/.{4}/g) ?? [];
  return new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1);
}

async function exactly(socket: Socket, bytes: number): Promise<Buffer> {
  if (bytes === 0) return Buffer.alloc(0);
  for (;;) {
    const piece = socket.read(bytes) as Buffer | null;
    if (piece !== null) return piece;
    await once(socket, "readable");
    if (socket.readableEnded || socket.destroyed) throw new Error("closed");
  }
}

function join(client: Duplex, target: Socket, sockets: Set<{ destroy(): unknown }>): void {
  for (const socket of [client, target]) sockets.add(socket.on("error", () => undefined));
  client.on("close", () => target.destroy());
  target.on("close", () => client.destroy());
  client.pipe(target).pipe(client);
}

function track(server: Server): Set<{ destroy(): unknown }> {
  const sockets = new Set<{ destroy(): unknown }>();
  server.on("connection", (socket) => sockets.add(socket.on("error", () => undefined)));
  return sockets;
}

async function listen(server: Server, sockets: Set<{ destroy(): unknown }>): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, "close");
  });
  return (server.address() as AddressInfo).port;
}
