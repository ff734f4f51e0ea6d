import type { FastifyRequest } from "fastify";
import * as z from "zod";
import type { Api } from "./api.ts";
import { readBody } from "./bodies.ts";
import { sendProblem, toJson, usualHeaders } from "./errors.ts";
import { refuseForeignPages } from "./foreign-pages.ts";
import { addIdempotency } from "./idempotency.ts";
import type { IdempotencyStore } from "./idempotency-store.ts";
import { noteRoutes } from "./known-routes.ts";
import { problemSchema } from "./problem.ts";
import { addRepresentations } from "./representation.ts";

/** What holds for every route that is added from now on, whichever room it is of. */
export function addConventions(api: Api, idempotency: IdempotencyStore): void {
  const known = noteRoutes(api);
  // Before bodies are read: a key is compared with the bytes. And before answers are compressed.
  addIdempotency(api, idempotency);
  addRepresentations(api);
  api.removeAllContentTypeParsers();
  api.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => done(null, body));
  api.addHook("onRoute", (route) => {
    route.schema ??= {};
    route.schema.querystring ??= noParameters;
    route.schema.response = { ...(route.schema.response as object | undefined), default: problemAnswer };
  });
  api.addHook("onRequest", async (request, reply) => {
    refuseForeignPages(request);
    // What is not JSON sets its own type and is sent as bytes.
    reply
      .headers({ ...usualHeaders, "content-type": "application/json", "x-request-id": request.id })
      .serializer(toJson);
  });
  api.addHook("preValidation", async (request) => {
    if (hasEmptyParameter(request)) throw known.problemOf(request.method, pathOf(request));
    readBody(request);
  });
  api.setNotFoundHandler((request, reply) =>
    sendProblem(reply, known.problemOf(request.method, pathOf(request))),
  );
}

const noParameters = z.strictObject({});

const problemAnswer = {
  description: "A problem: the request was not taken",
  content: { "application/problem+json": { schema: problemSchema } },
};

/** The router takes `/agents/` for the agent without a name. */
function hasEmptyParameter({ params }: FastifyRequest): boolean {
  return Object.values(params ?? {}).includes("");
}

function pathOf({ url }: FastifyRequest): string {
  return url.split("?", 1)[0] ?? url;
}
