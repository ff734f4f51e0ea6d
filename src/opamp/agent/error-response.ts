import { ServerErrorResponseType, type ServerToAgent } from "../messages.ts";
import type { LinkFailure } from "./link.ts";

type ErrorResponse = NonNullable<ServerToAgent["errorResponse"]>;

const maxQuotedLength = 500;

/**
 * What a ServerErrorResponse asks for: `throttled` is UNAVAILABLE, with or without a time (AW13, AE4); anything
 * else concerns the content of one message (AE2, AE3).
 */
export function errorResponseFailure(response: ErrorResponse): LinkFailure {
  const said = response.errorMessage === "" ? "" : `: ${response.errorMessage.slice(0, maxQuotedLength)}`;
  if (response.type !== ServerErrorResponseType.ServerErrorResponseType_Unavailable) {
    const type =
      response.type === ServerErrorResponseType.ServerErrorResponseType_BadRequest
        ? "BAD_REQUEST"
        : "UNKNOWN";
    return { error: new Error(`the server answered ${type}${said}`), pace: "backoff" };
  }
  const error = new Error(`the server is unavailable${said}`);
  if (response.details.case !== "retryInfo") return { error, pace: "throttled" };
  const nanoseconds = response.details.value.retryAfterNanoseconds;
  return { error, pace: "throttled", retryAfterMs: Number((nanoseconds + 999_999n) / 1_000_000n) };
}
