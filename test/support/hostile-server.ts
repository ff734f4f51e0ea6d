import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { deflateRawSync, gzipSync } from "node:zlib";
import { onTestFinished } from "vitest";

/**
 * `hangs-up`: closes at once, a WebSocket after its handshake. `redirects`: to itself. `stalls`: never says a word.
 * `trickles`: an answer, a byte at a time. `bombs`: 64 MiB of zeros, compressed to some 64 kB.
 */
export type Hostility = "hangs-up" | "redirects" | "stalls" | "trickles" | "bombs";

const trickleMs = 50;
const zeros = Buffer.alloc(64 * 1024 * 1024);

export interface HostileServer {
  hostility: Hostility;
  /** When each connection came; milliseconds since the Unix epoch. */
  readonly connections: number[];
  close(): Promise<void>;
}

/** Where an OpAMP server should be, on both transports, something that means no good. */
export async function startHostileServer(port: number, hostility: Hostility): Promise<HostileServer> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on("error", () => undefined).on("close", () => sockets.delete(socket)));
    hostile.connections.push(Date.now());
    socket.once("data", (request: Buffer) => meet(socket, request.toString("latin1"), hostile.hostility));
  });
  const hostile: HostileServer = {
    hostility,
    connections: [],
    async close() {
      if (!server.listening) return;
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => hostile.close());
  return hostile;
}

function meet(socket: Socket, request: string, hostility: Hostility): void {
  const key = /^sec-websocket-key: (.*)\r$/im.exec(request)?.[1];
  const host = /^host: (.*)\r$/im.exec(request)?.[1] ?? "";
  switch (hostility) {
    case "hangs-up":
      if (key === undefined) socket.destroy();
      else socket.end(upgraded(key));
      return;
    case "redirects":
      socket.end(head("307 Temporary Redirect", [`Location: http://${host}/v1/opamp`, "Content-Length: 0"]));
      return;
    case "stalls":
      return;
    case "trickles":
      if (key !== undefined) socket.write(upgraded(key));
      else socket.write(head("200 OK", ["Content-Type: application/x-protobuf", "Content-Length: 1000000"]));
      // A WebSocket gets the head of a large frame first.
      if (key !== undefined) socket.write(frameHead(1_000_000, false));
      trickle(socket);
      return;
    case "bombs":
      if (key === undefined) {
        const body = gzipSync(zeros);
        const type = "Content-Type: application/x-protobuf";
        socket.write(head("200 OK", [type, "Content-Encoding: gzip", `Content-Length: ${body.length}`]));
        socket.write(body);
      } else {
        const body = deflateRawSync(zeros);
        socket.write(upgraded(key, "permessage-deflate; server_no_context_takeover"));
        socket.write(Buffer.concat([frameHead(body.length, true), body]));
      }
  }
}

function trickle(socket: Socket): void {
  const timer = setInterval(() => socket.write(Buffer.from([0])), trickleMs);
  socket.on("close", () => clearInterval(timer));
}

function upgraded(key: string, extension?: string): string {
  const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
  return head("101 Switching Protocols", [
    "Upgrade: websocket",
    "Connection: Upgrade",
    `Sec-WebSocket-Accept: ${accept}`,
    ...(extension === undefined ? [] : [`Sec-WebSocket-Extensions: ${extension}`]),
  ]);
}

function head(status: string, lines: readonly string[]): string {
  return [`HTTP/1.1 ${status}`, ...lines, "", ""].join("\r\n");
}

/** Of a whole binary message, with a length of eight bytes. */
function frameHead(length: number, compressed: boolean): Buffer {
  const frame = Buffer.alloc(10);
  frame[0] = compressed ? 0xc2 : 0x82;
  frame[1] = 127;
  frame.writeBigUInt64BE(BigInt(length), 2);
  return frame;
}
