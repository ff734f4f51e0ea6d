import type { FastifyRequest } from "fastify";
import { toJson } from "./errors.ts";
import { ProblemError } from "./problem.ts";
import { namesTag, tagOf } from "./representation.ts";

/**
 * Checks `If-Match` and `If-None-Match` of a request that changes a resource.
 * @param current what a GET of it answers now; undefined: there is none
 * @throws ProblemError 412: somebody else has changed it since
 */
export function checkPreconditions({ headers }: FastifyRequest, current: unknown): void {
  const tag = current === undefined ? undefined : tagOf(toJson(current));
  const wanted = headers["if-match"];
  const unwanted = headers["if-none-match"];
  const fails =
    (wanted !== undefined && (tag === undefined || !namesTag(wanted, tag))) ||
    (unwanted !== undefined && tag !== undefined && namesTag(unwanted, tag));
  if (!fails) return;
  const detail = "it has changed since (If-Match, If-None-Match): read it again, and repeat the change";
  throw new ProblemError("precondition-failed", detail);
}
