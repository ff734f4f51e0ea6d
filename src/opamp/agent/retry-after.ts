/** No server keeps an Agent away for longer than this (D12). */
export const maxRetryAfterMs = 3_600_000;

/** Least wait after HTTP 429 or 503 that name none (AH12). */
const defaultThrottleMs = 30_000;

/**
 * Milliseconds that a `Retry-After` header asks for; undefined when it is absent or unreadable.
 * RFC 9110 section 10.2.3: seconds, or an HTTP date. `now` is milliseconds since the Unix epoch.
 */
export function parseRetryAfter(header: string | undefined, now: number): number | undefined {
  const text = header?.trim() ?? "";
  if (/^\d+$/.test(text)) return Number(text) * 1000;
  // All three date forms of HTTP begin with the name of a day; Date.parse alone would take "-5" or "1.5".
  const date = /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)/i.test(text) ? Date.parse(asUtc(text)) : Number.NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

/** Milliseconds to stay away after HTTP 429 or 503. */
export function throttleMs(header: string | undefined, now: number): number {
  return parseRetryAfter(header, now) ?? defaultThrottleMs;
}

// The asctime form names no zone and is UTC by definition; Date.parse would take it as local time.
function asUtc(text: string): string {
  return text.endsWith("GMT") ? text : `${text} GMT`;
}
