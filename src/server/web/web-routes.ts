import type { FastifyReply, FastifyRequest } from "fastify";
import * as z from "zod";
import type { Api } from "../api/api.ts";
import { ProblemError } from "../api/problem.ts";
import { type WebFile, type WebFiles, webEncodings } from "./web-files.ts";

/** Nothing from elsewhere, nothing inline, in nobody's frame. */
const pageHeaders = {
  "content-security-policy": [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "img-src 'self' data:",
    "frame-ancestors 'none'",
    "base-uri 'none'",
    "form-action 'none'",
  ].join("; "),
  "referrer-policy": "no-referrer",
  "x-frame-options": "DENY",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
};

/** Their names change with what is in them. */
const forever = "public, max-age=31536000, immutable";

/** The web UI at `/`. It holds no secret: whoever opens it signs in with a key of the API, which is all it uses. */
export function webRoutes(api: Api, files: WebFiles): void {
  const page = files.get("index.html");
  if (page === undefined) return;
  const options = { config: { role: "anyone" }, schema: { hide: true } } as const;

  api.get("/", { ...options, schema: { hide: true, querystring: z.looseObject({}) } }, (request, reply) =>
    send(request, reply, page, "no-cache"),
  );

  api.get(
    "/assets/:file",
    { ...options, schema: { hide: true, params: z.object({ file: z.string() }) } },
    (request, reply) => {
      const file = files.get(`assets/${request.params.file}`);
      if (file !== undefined) return send(request, reply, file, forever);
      // A page that was loaded before an upgrade asks for what is not there any more.
      throw new ProblemError("not-found", `the web UI has no ${request.params.file}: reload the page`);
    },
  );
}

function send(request: FastifyRequest, reply: FastifyReply, file: WebFile, caching: string): FastifyReply {
  const accepted = String(request.headers["accept-encoding"] ?? "");
  const encoding = webEncodings.find(
    (each) =>
      file.encoded[each] !== undefined &&
      new RegExp(`\\b${each}\\b(?!\\s*;\\s*q=0(\\.0*)?\\s*(,|$))`).test(accepted),
  );
  if (encoding !== undefined) reply.header("content-encoding", encoding);
  return reply
    .headers({ ...pageHeaders, "content-type": file.type, "cache-control": caching, vary: "accept-encoding" })
    .send((encoding && file.encoded[encoding]) ?? file.body);
}
