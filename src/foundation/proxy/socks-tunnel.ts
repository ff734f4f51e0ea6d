import { connect, isIP, type Socket } from "node:net";
import type { TunnelTarget } from "./connect-tunnel.ts";
import { type ForwardProxy, hostOf, portOf, userinfoOf } from "./proxy.ts";

const version = 5;
const method = { none: 0, password: 2 } as const;
const addressType = { ipv4: 1, name: 3, ipv6: 4 } as const;
/** Longest name, user or password that fits into its length byte. */
const maxText = 255;

/** What RFC 1928, section 6 lets a proxy answer. */
const refusals: Readonly<Record<number, string>> = {
  1: "general failure",
  2: "its rules forbid it",
  3: "network unreachable",
  4: "host unreachable",
  5: "connection refused",
  6: "TTL expired",
  7: "command not supported",
  8: "address type not supported",
};

/**
 * Asks a SOCKS5 proxy for a connection (RFC 1928), with user and password if its URL has them (RFC 1929). Names are
 * resolved by the proxy.
 * @throws when the proxy does not grant it; the message names the proxy and what it said.
 */
export async function socksTunnel(
  { url }: ForwardProxy,
  target: TunnelTarget,
  signal: AbortSignal,
): Promise<Socket> {
  const socket = connect({ host: hostOf(url), port: portOf(url) });
  // Between two answers nobody else listens.
  socket.on("error", () => undefined);
  const fail = (reason: string) => new Error(`the proxy ${url.host} ${reason}`);
  const abort = () => socket.destroy(signal.reason as Error);
  signal.addEventListener("abort", abort, { once: true });
  try {
    const read = reader(socket, () => fail("closed the connection instead of answering"));
    await greet(socket, read, url, fail);
    socket.write(Buffer.concat([Buffer.from([version, 1, 0]), address(target, fail)]));
    const [, reply = 0, , type] = await read(4);
    if (reply !== 0) {
      const said = refusals[reply] ?? `answer ${reply}`;
      throw fail(`refuses to connect to ${target.host}:${target.port}: ${said}`);
    }
    // The address it is bound to is of no use here, but stands before the target's bytes.
    const length = type === addressType.ipv4 ? 4 : type === addressType.ipv6 ? 16 : (await read(1))[0];
    await read((length ?? 0) + 2);
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

type Read = (bytes: number) => Promise<Buffer>;
type Fail = (reason: string) => Error;

/** Agrees on how this side says who it is, and says it. */
async function greet(socket: Socket, read: Read, url: URL, fail: Fail): Promise<void> {
  const userinfo = userinfoOf(url);
  const offered = userinfo === undefined ? [method.none] : [method.none, method.password];
  socket.write(Buffer.from([version, offered.length, ...offered]));
  const [spoken, chosen] = await read(2);
  if (spoken !== version) throw fail("does not speak SOCKS5");
  if (chosen === method.none) return;
  if (chosen !== method.password || userinfo === undefined) {
    throw fail("wants credentials of a kind that its URL does not have");
  }
  const user = counted(userinfo.user, fail);
  socket.write(Buffer.concat([Buffer.from([1]), user, counted(userinfo.password, fail)]));
  const [, status] = await read(2);
  if (status !== 0) throw fail("refuses the credentials of its URL");
}

function address({ host, port }: TunnelTarget, fail: Fail): Buffer {
  const tail = Buffer.from([port >> 8, port & 0xff]);
  const of = (type: number, bytes: Uint8Array) => Buffer.concat([Buffer.from([type]), bytes, tail]);
  const family = isIP(host);
  if (family === 4) return of(addressType.ipv4, Buffer.from(host.split(".").map(Number)));
  return family === 6 ? of(addressType.ipv6, ipv6(host)) : of(addressType.name, counted(host, fail));
}

/** The 16 bytes of an address as URLs write it: groups in hexadecimal, zeros left out once. */
function ipv6(host: string): Buffer {
  const [before = [], after = []] = host
    .split("::")
    .map((half) => half.split(":").filter((part) => part !== ""));
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => "0");
  return Buffer.from([...before, ...zeros, ...after].map((group) => group.padStart(4, "0")).join(""), "hex");
}

/** A text behind its length. */
function counted(text: string, fail: Fail): Buffer {
  const bytes = Buffer.from(text, "utf8");
  if (bytes.length > maxText) throw fail(`cannot be told a text of more than ${maxText} bytes`);
  return Buffer.concat([Buffer.from([bytes.length]), bytes]);
}

/** Reads a socket in exact pieces, and leaves everything after them in it. */
function reader(socket: Socket, closed: () => Error): Read {
  return (bytes) =>
    new Promise((resolve, reject) => {
      const settle = (run: () => void) => {
        socket.off("readable", look).off("error", failed).off("close", ended).off("end", ended);
        run();
      };
      const failed = (error: Error) => settle(() => reject(error));
      const ended = () => settle(() => reject(closed()));
      const look = () => {
        const piece = socket.read(bytes) as Buffer | null;
        if (piece !== null) settle(() => resolve(piece));
      };
      socket.on("readable", look).on("error", failed).on("close", ended).on("end", ended);
      look();
    });
}
