import type { FastifyRequest } from "fastify";
import { ProblemError } from "./problem.ts";

/**
 * Keeps any web page an operator happens to visit from pushing configurations through their browser:
 * the API takes every content type, so that no preflight would stop it.
 * @throws ProblemError 403
 */
export function refuseForeignPages({ method, headers }: FastifyRequest): void {
  if (method === "GET" || method === "HEAD") return;
  const { origin, host } = headers;
  const site = headers["sec-fetch-site"];
  const foreignSite = site !== undefined && site !== "same-origin" && site !== "none";
  const foreignOrigin = origin !== undefined && hostOf(origin) !== host;
  if (foreignSite || foreignOrigin) {
    throw new ProblemError("foreign-origin", "requests of web pages from elsewhere are not taken");
  }
}

function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}
