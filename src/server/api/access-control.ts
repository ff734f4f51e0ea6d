import { isIP } from "node:net";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Identity } from "../access/identity.ts";
import type { People } from "../access/people.ts";
import { covers, type Role } from "../access/role.ts";
import type { Api } from "./api.ts";
import { ProblemError } from "./problem.ts";

declare module "fastify" {
  interface FastifyContextConfig {
    /** Who may use the route; default: viewers read, operators change. */
    role?: Role | "anyone";
    /** Asks by POST because of its body: not put on record. */
    changesNothing?: true;
  }
  interface FastifyRequest {
    /** Who asks; undefined only where anyone may. */
    identity: Identity | undefined;
  }
}

/** Lets a request reach its route only from somebody whose role is enough. */
export function addAccessControl(api: Api, people: People): void {
  api.decorateRequest("identity", undefined);
  api.addHook("onRequest", async (request, reply) => {
    const needed = neededRole(request);
    if (needed === "anyone") return;
    request.identity = await recognize(people, request, reply);
    if (covers(request.identity.role, needed)) return;
    throw new ProblemError(
      "forbidden",
      `${request.identity.name} has the role ${request.identity.role}; this takes the role ${needed}`,
    );
  });
}

/** @throws ProblemError 500 when the route is one that anyone may use. */
export function identityOf(request: FastifyRequest): Identity {
  if (request.identity === undefined) throw new Error(`${request.url} asks who asks, and lets anyone in`);
  return request.identity;
}

function neededRole({ method, routeOptions, is404 }: FastifyRequest): Role | "anyone" {
  // What is not there is no secret.
  if (is404) return "anyone";
  return routeOptions.config.role ?? (method === "GET" || method === "HEAD" ? "viewer" : "operator");
}

async function recognize(people: People, request: FastifyRequest, reply: FastifyReply): Promise<Identity> {
  const { authorization, host } = request.headers;
  const recognized = await people.recognize({ authorization, remoteAddress: request.ip });
  switch (recognized.t) {
    case "unknown":
      reply.header("www-authenticate", "Bearer");
      throw new ProblemError("unauthorized", recognized.reason);
    case "kept-out":
      throw new ProblemError("forbidden", recognized.reason);
    case "too-many":
      throw new ProblemError("too-many-requests", "too many wrong keys or tokens came from this address", {
        headers: { "retry-after": String(recognized.retryAfterSeconds) },
      });
    case "known":
      // A page whose own name was made to point here would be of the same origin.
      if (recognized.identity.by === "loopback" && !isOfThisMachine(host)) {
        throw new ProblemError("forbidden", `without a key this listener is called localhost, not ${host}`);
      }
      return recognized.identity;
  }
}

function isOfThisMachine(host: string | undefined): boolean {
  if (host === undefined || !URL.canParse(`http://${host}`)) return false;
  const { hostname } = new URL(`http://${host}`);
  return hostname === "localhost" || isIP(hostname.replace(/^\[|\]$/g, "")) !== 0;
}
