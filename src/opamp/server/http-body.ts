import type { IncomingMessage } from "node:http";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { errorCode } from "../../foundation/errors.ts";
import { MalformedMessageError } from "../malformed-message.ts";

/** The body is over the limit, before or after it was unpacked (SH3). */
export class BodyTooLargeError extends Error {
  override readonly name = "BodyTooLargeError";
}

/**
 * The whole body, unpacked; never holds more than twice `limit` bytes.
 * @throws BodyTooLargeError beyond `limit`, leaving the rest unread.
 * @throws MalformedMessageError when it is not gzip though it should be.
 */
export async function readBody(
  request: IncomingMessage,
  encoding: "identity" | "gzip",
  limit: number,
): Promise<Uint8Array> {
  if (Number(request.headers["content-length"] ?? 0) > limit) throw tooLarge(limit);
  const packed = await collect(request, limit);
  if (encoding === "identity" || packed.length === 0) return packed;
  try {
    return await promisify(gunzip)(packed, { maxOutputLength: limit });
  } catch (cause) {
    if (errorCode(cause) === "ERR_BUFFER_TOO_LARGE") throw tooLarge(limit);
    throw new MalformedMessageError("the body is not gzip, as its Content-Encoding says", { cause });
  }
}

function collect(request: IncomingMessage, limit: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const onData = (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > limit) {
        request.off("data", onData);
        reject(tooLarge(limit));
      } else {
        chunks.push(chunk);
      }
    };
    request.on("data", onData);
    request.once("end", () => resolve(Buffer.concat(chunks, bytes)));
    request.once("error", reject);
    request.once("close", () => reject(new Error("the request ended before its body did")));
  });
}

function tooLarge(limit: number): BodyTooLargeError {
  return new BodyTooLargeError(`the message is over this server's limit of ${limit} bytes`);
}
