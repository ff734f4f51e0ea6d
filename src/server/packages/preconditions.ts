import type { IncomingHttpHeaders } from "node:http";

/** By what a client recognises the file it has a part of. */
export interface Validators {
  /** A strong entity tag, with its quotes. */
  readonly etag: string;
  readonly modified: Date;
}

/** What the conditional headers of a GET or HEAD come to, in the order of RFC 9110, section 13.2.2. */
export function evaluatePreconditions(
  headers: IncomingHttpHeaders,
  validators: Validators,
): "proceed" | "not-modified" | "failed" {
  const { etag, modified } = validators;
  const ifMatch = headers["if-match"];
  if (ifMatch !== undefined) {
    if (!tagsOf(ifMatch).some((tag) => tag === "*" || tag === etag)) return "failed";
  } else {
    const until = dateOf(headers["if-unmodified-since"]);
    if (until !== undefined && seconds(modified) > seconds(until)) return "failed";
  }
  const ifNoneMatch = headers["if-none-match"];
  if (ifNoneMatch !== undefined) {
    // Compared weakly, as this header demands.
    const isHeld = tagsOf(ifNoneMatch).some((tag) => tag === "*" || tag.replace(/^W\//, "") === etag);
    return isHeld ? "not-modified" : "proceed";
  }
  const since = dateOf(headers["if-modified-since"]);
  return since !== undefined && seconds(modified) <= seconds(since) ? "not-modified" : "proceed";
}

/** Whether `Range` counts: without `If-Range`, or when it names exactly this file (section 13.1.5). */
export function rangeApplies(ifRange: string | undefined, { etag, modified }: Validators): boolean {
  if (ifRange === undefined) return true;
  const wanted = ifRange.trim();
  return wanted === etag || dateOf(wanted)?.getTime() === seconds(modified) * 1000;
}

function tagsOf(list: string): string[] {
  return list.match(/\*|(?:W\/)?"[^"]*"/g) ?? [];
}

function dateOf(text: string | undefined): Date | undefined {
  // An entity tag is no date, whatever Date.parse makes of its digits.
  if (text === undefined || !/^[A-Za-z]{3}/.test(text)) return undefined;
  const time = Date.parse(text);
  return Number.isNaN(time) ? undefined : new Date(time);
}

/** HTTP dates have no fractions. */
function seconds(date: Date): number {
  return Math.floor(date.getTime() / 1000);
}
