import { createHash } from "node:crypto";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import type { FastifyRequest } from "fastify";
import type { Api } from "./api.ts";

/** Below that many bytes, compressing costs more than it saves. */
const minCompressedBytes = 2048;

/** Fast: the answer is waited for, and the JSON of a fleet repeats itself enough. */
const gzipLevel = 1;

const compress = promisify(gzip);

/** Gives every answer to a GET its entity tag, answers 304 to who has it already, and compresses what is large. */
export function addRepresentations(api: Api): void {
  api.addHook("onSend", async (request, reply, payload) => {
    if (!isText(payload)) return payload;
    const isGet = request.method === "GET" || request.method === "HEAD";
    const tag = isGet && reply.statusCode === 200 ? tagOf(payload) : undefined;
    if (tag !== undefined) {
      reply.header("etag", quoted(tag));
      const known = request.headers["if-none-match"];
      if (known !== undefined && namesTag(known, tag)) {
        reply.code(304).removeHeader("content-type");
        return null;
      }
    }
    if (reply.hasHeader("content-encoding") || Buffer.byteLength(payload) < minCompressedBytes)
      return payload;
    reply.header("vary", "accept-encoding");
    if (!takesGzip(request)) return payload;
    // Other bytes have another tag (RFC 9110 section 8.8.3.3).
    if (tag !== undefined) reply.header("etag", quoted(`${tag}${compressedSuffix}`));
    reply.header("content-encoding", "gzip");
    return compress(payload, { level: gzipLevel });
  });
}

const compressedSuffix = "-gzip";

/** What names the bytes of an answer, before they are compressed. */
export function tagOf(payload: string | Buffer): string {
  return createHash("sha1").update(payload).digest("base64url");
}

function quoted(tag: string): string {
  return `"${tag}"`;
}

/** Whether a list of entity tags, `If-Match` or `If-None-Match`, names this one, compressed or not. */
export function namesTag(list: string, tag: string): boolean {
  if (list.trim() === "*") return true;
  return [...list.matchAll(/"([^"]*)"/g)].some(([, each]) => each?.replace(compressedSuffix, "") === tag);
}

function isText(payload: unknown): payload is string | Buffer {
  return typeof payload === "string" || Buffer.isBuffer(payload);
}

function takesGzip({ headers }: FastifyRequest): boolean {
  const accepted = String(headers["accept-encoding"] ?? "").split(",");
  return accepted.some((each) => /^\s*(gzip|\*)\s*(;\s*q=(?!0(\.0*)?\s*$).*)?$/i.test(each));
}
