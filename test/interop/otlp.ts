import { request } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { monotonicMs } from "./line-program.ts";

/** Sends one empty OTLP/HTTP request on a connection of its own; whether it was accepted. */
export function sendOtlp(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const outgoing = request({
    host: "127.0.0.1",
    port,
    path: "/v1/traces",
    method: "POST",
    agent: false,
    headers: { "Content-Type": "application/json" },
  });
  outgoing.on("response", (response) => {
    response.resume();
    response.on("end", () => resolve(response.statusCode === 200));
    response.on("error", () => resolve(false));
  });
  outgoing.on("error", () => resolve(false));
  outgoing.end('{"resourceSpans":[]}');
  return promise;
}

/** Sends every five milliseconds, one at a time, until one is accepted; the moment of the answer. */
export async function firstOtlpAnswer(port: number, timeoutMs = 10_000): Promise<number> {
  const deadline = monotonicMs() + timeoutMs;
  while (monotonicMs() < deadline) {
    if (await sendOtlp(port)) return monotonicMs();
    await delay(5);
  }
  throw new Error(`no OTLP request was accepted for ${timeoutMs} ms`);
}
