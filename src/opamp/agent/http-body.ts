import type { IncomingMessage } from "node:http";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";

/**
 * The body of a response, inflated if need be.
 * @throws when it is larger than `limit` bytes, before or after inflation, or its encoding is unknown (AH8).
 */
export async function readBody(response: IncomingMessage, limit: number): Promise<Uint8Array> {
  const encoding = (response.headers["content-encoding"] ?? "identity").toLowerCase();
  if (encoding === "identity") return await pipeline(response, (source) => collect(source, limit));
  if (encoding === "gzip") {
    return await pipeline(response, createGunzip(), (source) => collect(source, limit));
  }
  response.destroy();
  throw new Error(`the server's answer has the unknown Content-Encoding ${encoding}`);
}

async function collect(source: AsyncIterable<Buffer>, limit: number): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of source) {
    size += chunk.length;
    if (size > limit) throw new Error(`the server's answer is larger than the limit of ${limit} bytes`);
    chunks.push(chunk);
  }
  // Of its own: fields of the message are views of it.
  const body = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    body.set(chunk, at);
    at += chunk.length;
  }
  return body;
}
