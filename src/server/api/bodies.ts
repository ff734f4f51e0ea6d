import type { FastifyRequest } from "fastify";
import * as z from "zod";
import { ProblemError } from "./problem.ts";

/** A body that its handler reads itself, whatever content type it was sent under; goes with `consumes`. */
export const rawBody = z.custom<Uint8Array>((body) => body instanceof Uint8Array).meta({ type: "string" });

/**
 * Reads a body as its route wants it: bytes where the route says what it consumes, else JSON, which is taken
 * under any content type.
 * @throws ProblemError 400 for what is not JSON
 */
export function readBody(request: FastifyRequest): void {
  const { schema } = request.routeOptions;
  if (!(schema?.body instanceof z.ZodType)) return;
  const bytes = request.body instanceof Uint8Array ? request.body : new Uint8Array();
  request.body = schema.consumes === undefined ? parseJson(bytes, schema.body) : bytes;
}

function parseJson(bytes: Uint8Array, schema: z.ZodType): unknown {
  // Whether a body may be left out is for the schema to say.
  if (bytes.length === 0) return undefined;
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw new ProblemError(
      "bad-body",
      ["the body is not JSON", expectedBody(schema)].filter(Boolean).join(": "),
    );
  }
}

/** `expected JSON such as …`, by the example that a schema carries in its metadata. */
export function expectedBody(schema: z.ZodType): string | undefined {
  const examples = schema.meta()?.examples;
  const [example]: unknown[] = Array.isArray(examples) ? examples : [];
  return example === undefined ? undefined : `expected JSON such as ${JSON.stringify(example)}`;
}
