import type { FastifyReply, FastifyRequest } from "fastify";
import { describeError } from "../../foundation/errors.ts";
import type { Logger } from "../../foundation/logger.ts";
import type { AuditLog, AuditRecord } from "../audit/audit-log.ts";
import type { Api } from "./api.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** What a handler says of its change; what it leaves out is taken from the request and the answer. */
    change: Partial<Pick<AuditRecord, "target" | "before" | "after" | "reason">>;
  }
}

/** Characters of an answer that are kept as what came of a change. */
const maxAfter = 4096;

/** Keeps who changed what, and who tried without the right to, before the answer is sent. */
export function addAudit(api: Api, { audit, log }: { audit: AuditLog; log: Logger }): void {
  api.addHook("onRequest", async (request) => {
    request.change = {};
  });
  api.addHook("onSend", async (request, reply, payload) => {
    const outcome = outcomeOf(request, reply);
    if (outcome === undefined) return;
    try {
      await audit.append(recordOf(request, outcome, payload));
    } catch (error) {
      log.error(
        { event: "audit_failed", error: describeError(error) },
        "a change could not be put on record",
      );
    }
  });
}

function outcomeOf(
  { method, routeOptions }: FastifyRequest,
  reply: FastifyReply,
): AuditRecord["outcome"] | undefined {
  if (method === "GET" || method === "HEAD" || method === "OPTIONS") return undefined;
  if (routeOptions.config?.changesNothing || reply.hasHeader("idempotent-replayed")) return undefined;
  if (reply.statusCode < 300) return "done";
  return reply.statusCode === 401 || reply.statusCode === 403 ? "refused" : undefined;
}

function recordOf(request: FastifyRequest, outcome: AuditRecord["outcome"], payload: unknown): AuditRecord {
  const { identity, change, method, routeOptions, url } = request;
  const reason = change.reason ?? reasonOf(request);
  return {
    actor: identity?.name ?? "",
    by: identity?.by ?? "",
    role: identity?.role ?? "",
    address: request.ip,
    action: `${method} ${routeOptions.url ?? "unknown"}`,
    target: change.target ?? url,
    outcome,
    ...("before" in change && { before: change.before }),
    ...("after" in change ? { after: change.after } : outcome === "done" && { after: answerOf(payload) }),
    ...(reason !== undefined && { reason }),
  };
}

/** Given as a header by those whose body is something else. */
function reasonOf({ body, headers }: FastifyRequest): string | undefined {
  const inBody = (body as { reason?: unknown } | null | undefined)?.reason;
  const given = typeof inBody === "string" ? inBody : headers["x-reason"];
  return typeof given === "string" && given !== "" ? given.slice(0, 1000) : undefined;
}

function answerOf(payload: unknown): unknown {
  if (typeof payload !== "string" || payload.length > maxAfter) return undefined;
  try {
    return JSON.parse(payload);
  } catch {
    return undefined;
  }
}
