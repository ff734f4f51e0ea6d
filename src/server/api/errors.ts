import type { FastifyReply, FastifyRequest } from "fastify";
import { describeError, errorCode } from "../../foundation/errors.ts";
import type { Logger } from "../../foundation/logger.ts";
import { ProblemError, problemBody } from "./problem.ts";

export interface ErrorAnswers {
  log: Logger;
  /** Largest request body in bytes. */
  maxBodyBytes: number;
}

/** Answers whatever a handler or fastify itself threw. */
export function answerError(options: ErrorAnswers) {
  return (error: unknown, request: FastifyRequest, reply: FastifyReply) =>
    sendProblem(reply, problemFrom(error, request, options));
}

/** Of every answer, unless its route says otherwise. */
export const usualHeaders = { "cache-control": "no-store", "x-content-type-options": "nosniff" };

export function sendProblem(reply: FastifyReply, problem: ProblemError): FastifyReply {
  return reply
    .code(problem.status)
    .headers({
      ...usualHeaders,
      "x-request-id": reply.request.id,
      ...problem.headers,
      "content-type": "application/problem+json",
    })
    .serializer(toJson)
    .send(problemBody(problem));
}

/** A line of its own, for people on a terminal. */
export function toJson(body: unknown): string {
  return `${JSON.stringify(body)}\n`;
}

function problemFrom(error: unknown, request: FastifyRequest, { log, maxBodyBytes }: ErrorAnswers) {
  const problem = faultOfClient(error, request, maxBodyBytes);
  if (problem !== undefined) return problem;
  const { id, method, url } = request;
  log.error(
    { event: "api_error", request_id: id, method, path: url, error: describeError(error) },
    "request failed",
  );
  return new ProblemError("internal-error", `see the log of opamp-server, request ${id}`);
}

function faultOfClient(
  error: unknown,
  request: FastifyRequest,
  maxBodyBytes: number,
): ProblemError | undefined {
  if (error instanceof ProblemError) return error;
  switch (errorCode(error) ?? "") {
    case "FST_ERR_CTP_BODY_TOO_LARGE":
      return new ProblemError(
        "body-too-large",
        `the body is larger than ${maxBodyBytes} bytes (management.max_body_size)`,
        // The rest is not read, so that the connection cannot be used again.
        { headers: { connection: "close" } },
      );
    case "FST_ERR_BAD_URL":
      return new ProblemError("bad-path", `${request.url} is not a percent-encoded path`);
    case "FST_ERR_MAX_PARAM_LENGTH":
      return new ProblemError("bad-path", "a part of the path is too long");
    default:
      return isClientError(error) ? new ProblemError("bad-request", describeError(error)) : undefined;
  }
}

/** What fastify found wrong before any handler ran, such as a body shorter than its content-length. */
function isClientError(error: unknown): boolean {
  if (!(error instanceof Error) || !("statusCode" in error)) return false;
  const { statusCode } = error;
  return typeof statusCode === "number" && statusCode >= 400 && statusCode < 500;
}
