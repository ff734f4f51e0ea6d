import type { IncomingHttpHeaders } from "node:http";
import { parseRetryAfter } from "../../../opamp/agent/retry-after.ts";
import type { Origin } from "./partial-file.ts";

/** What was asked for: the bytes from `from` on. */
export interface Asked {
  readonly from: number;
  /** Of the bytes that are there, if they are from the same source. */
  readonly validator: Pick<Origin, "etag" | "lastModified"> | undefined;
  readonly totalBytes: number | undefined;
}

/** What the head of an answer means for the file. */
export type Answer =
  /** The body goes on at `start`, which is 0 or what was asked for. */
  | {
      readonly t: "body";
      readonly start: number;
      readonly total: number | undefined;
      readonly endIsKnown: boolean;
    }
  /** What is there does not fit what the source has: ask again for everything. */
  | { readonly t: "misfit" }
  | { readonly t: "refused"; readonly refusal: Refusal };

/** `slow`: the same question will hardly be answered otherwise soon. */
export interface Refusal {
  readonly reason: string;
  readonly pace: "soon" | "slow";
  readonly retryAfterMs?: number | undefined;
}

/** RFC 9110, 14.2 and 13.1.5: with a validator the source sends everything if its file has changed. */
export function rangeHeaders({ from, validator }: Asked): Record<string, string> {
  if (from === 0) return {};
  const proof = validator && (strongTag(validator.etag) ?? validator.lastModified);
  return { Range: `bytes=${from}-`, ...(proof !== undefined && { "If-Range": proof }) };
}

/** `now` is milliseconds since the Unix epoch. */
export function interpretAnswer(
  status: number,
  headers: IncomingHttpHeaders,
  asked: Asked,
  now: number,
): Answer {
  const isBody = status === 200 || status === 206;
  const encoding = headers["content-encoding"] ?? "identity";
  if (isBody && !/^\s*(identity\s*)?$/i.test(encoding)) {
    return refused("it sends the file in a content encoding, which was not asked for", "slow");
  }
  if (status === 200) {
    const total = contentLength(headers);
    return { t: "body", start: 0, total, endIsKnown: total !== undefined || isChunked(headers) };
  }
  if (asked.from > 0 && status === 206) return part(headers, asked);
  if (asked.from > 0 && status === 416) return { t: "misfit" };
  const overloaded = status >= 500 || status === 408 || status === 429;
  const retryAfterMs = overloaded ? parseRetryAfter(headers["retry-after"], now) : undefined;
  return refused(statusText(status), overloaded ? "soon" : "slow", retryAfterMs);
}

/** Where the validators of an answer are kept. */
export function validatorOf(headers: IncomingHttpHeaders): Pick<Origin, "etag" | "lastModified"> {
  return { etag: headers.etag, lastModified: headers["last-modified"] };
}

function part(headers: IncomingHttpHeaders, { from, validator, totalBytes }: Asked): Answer {
  const [, first, last, whole] = /^bytes (\d+)-(\d+)\/(\d+|\*)$/i.exec(headers["content-range"] ?? "") ?? [];
  const total = whole === undefined || whole === "*" ? undefined : Number(whole);
  const length = contentLength(headers);
  const fits =
    Number(first) === from &&
    (total === undefined || Number(last) < total) &&
    (length === undefined || from + length === Number(last) + 1) &&
    (total === undefined || totalBytes === undefined || total === totalBytes) &&
    isSameTag(validator?.etag, headers.etag);
  return fits ? { t: "body", start: from, total, endIsKnown: true } : { t: "misfit" };
}

/** A source that does not know If-Range can still be caught with another file. */
function isSameTag(before: string | undefined, now: string | undefined): boolean {
  const [a, b] = [strongTag(before), strongTag(now)];
  return a === undefined || b === undefined || a === b;
}

function strongTag(etag: string | undefined): string | undefined {
  return etag?.startsWith('"') ? etag : undefined;
}

function contentLength(headers: IncomingHttpHeaders): number | undefined {
  const text = headers["content-length"] ?? "";
  return /^\d+$/.test(text) ? Number(text) : undefined;
}

function isChunked(headers: IncomingHttpHeaders): boolean {
  return /chunked/i.test(headers["transfer-encoding"] ?? "");
}

function refused(reason: string, pace: "soon" | "slow", retryAfterMs?: number): Answer {
  return { t: "refused", refusal: { reason, pace, retryAfterMs } };
}

function statusText(status: number): string {
  if (status === 401 || status === 403 || status === 407) {
    return `it refused the credentials (HTTP ${status}); check the headers of the offer`;
  }
  if (status === 404 || status === 410) return `it does not have the file (HTTP ${status})`;
  return `it answered HTTP ${status}`;
}
