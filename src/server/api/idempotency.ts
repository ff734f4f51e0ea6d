import { createHash } from "node:crypto";
import type { FastifyRequest } from "fastify";
import type { Api } from "./api.ts";
import type { IdempotencyStore } from "./idempotency-store.ts";
import { ProblemError } from "./problem.ts";

/**
 * Has a POST with an `Idempotency-Key` take effect once, however often a client that heard no answer repeats it.
 * What was refused is not kept: nothing was changed, and the next try may go well.
 */
export function addIdempotency(api: Api, store: IdempotencyStore): void {
  const working = new WeakMap<FastifyRequest, string>();

  api.addHook("preValidation", async (request, reply) => {
    const key = request.headers["idempotency-key"];
    if (request.method !== "POST" || key === undefined) return undefined;
    const name = checkedKey(key);
    const state = await store.take(name, fingerprintOf(request));
    switch (state.t) {
      case "taken":
        working.set(request, name);
        return undefined;
      case "busy":
        throw new ProblemError("idempotency-key-busy", `the request with the key ${name} is still worked on`);
      case "other-request":
        throw new ProblemError(
          "idempotency-key-reused",
          `the key ${name} came with another request before: a new request needs a new key`,
        );
      case "answered":
        return reply
          .code(state.answer.status)
          .header("idempotent-replayed", "true")
          .send(Buffer.from(state.answer.body));
    }
  });

  api.addHook("onSend", async (request, reply, payload) => {
    const key = working.get(request);
    if (key === undefined) return;
    working.delete(request);
    const isDone = reply.statusCode < 300 && typeof payload === "string";
    if (isDone) await store.finish(key, { status: reply.statusCode, body: payload });
    else await store.release(key);
  });
}

/** @throws ProblemError 400 */
function checkedKey(key: string | string[]): string {
  if (typeof key === "string" && /^[\x21-\x7e]{1,255}$/.test(key)) return key;
  const message = "must be 1 to 255 visible ASCII characters";
  throw new ProblemError("bad-request", `Idempotency-Key ${message}`, {
    errors: [{ in: "header", field: "idempotency-key", message }],
  });
}

/** The body is still as it was sent. Somebody else's key is not this one, even when it is spelled the same. */
function fingerprintOf({ method, url, body, identity }: FastifyRequest): string {
  const bytes = body instanceof Uint8Array ? body : new Uint8Array();
  const who = JSON.stringify([identity?.by, identity?.name]);
  return createHash("sha256").update(`${who} ${method} ${url}\n`).update(bytes).digest("base64url");
}
