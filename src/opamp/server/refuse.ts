import { type IncomingMessage, type ServerResponse, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import type { EndpointSettings } from "./settings.ts";

/**
 * Answers a request with an error in plain text. What still arrives of its body is read away, so that the
 * peer gets to see the answer, but only for `closeTimeoutMs`.
 */
export function refuse(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  message: string,
  { clock, closeTimeoutMs }: Pick<EndpointSettings, "clock" | "closeTimeoutMs">,
  headers: Record<string, string> = {},
): void {
  const body = `${message}\n`;
  response.writeHead(status, {
    ...headers,
    "content-type": "text/plain; charset=utf-8",
    "content-length": Buffer.byteLength(body),
  });
  response.end(body);
  if (request.complete) return;
  const timer = clock.setTimer(closeTimeoutMs, () => request.destroy());
  request.once("end", () => timer.cancel());
  request.once("close", () => timer.cancel());
  request.resume();
}

/** The same on the raw socket of an upgrade, which then ends. */
export function refuseUpgrade(
  socket: Duplex,
  status: number,
  message: string,
  headers: Record<string, string> = {},
): void {
  const body = `${message}\n`;
  const head = Object.entries({
    connection: "close",
    ...headers,
    "content-type": "text/plain; charset=utf-8",
    "content-length": String(Buffer.byteLength(body)),
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.once("finish", () => socket.destroy());
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? "Refused"}\r\n${head.join("")}\r\n${body}`);
}
